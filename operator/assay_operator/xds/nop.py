"""A house without a gateway: everything published is in force at once."""

from assay_api import Ref
from assay_operator.gateway import ModelRoute
from assay_operator.xds.gateways import Programmed


class NoGateways:
    """Remembers what was published, and serves it to nobody."""

    def __init__(self) -> None:
        """Know no routes."""
        self.routes: dict[Ref, ModelRoute] = {}

    async def publish(self, ref: Ref, route: ModelRoute | None) -> str:
        """Remember the route."""
        if route is None:
            self.routes.pop(ref, None)
            return ""
        self.routes[ref] = route
        return f"{hash(route):x}"

    def programmed(self, ref: Ref) -> Programmed:  # noqa: ARG002  the promise of Gateways
        """Return that it is done."""
        return Programmed(done=True, gateways=0, message="no gateway is configured")

    async def wait_programmed(self, ref: Ref, timeout: float) -> Programmed:  # noqa: ARG002, ASYNC109  as above
        """Return that it is done, at once."""
        return self.programmed(ref)
