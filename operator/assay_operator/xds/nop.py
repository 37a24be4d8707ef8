"""No gateway at all: everything published is in force at once."""

from collections.abc import Callable

from assay_api import Ref
from assay_operator.gateway import ModelRoute, Programmed


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

    def on_progress(self, call: Callable[[Ref], None]) -> None:
        """Never call: what is published is in force at once."""
