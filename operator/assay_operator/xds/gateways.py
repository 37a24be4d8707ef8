"""What reconcilers may ask of the gateways, whoever they are."""

from collections.abc import Callable
from typing import Protocol

from assay_api import Ref
from assay_operator.gateway import ModelRoute, Programmed


class Gateways(Protocol):
    """The gateways as one. No call blocks longer than it says; all are safe to repeat."""

    async def publish(self, ref: Ref, route: ModelRoute | None) -> str:
        """Want this route for the Model, or none; return the version of what is wanted now.

        Idempotent, and may be called before any gateway is connected. Nobody persists it: publish every
        Model again after a restart, before the gateways are served.
        """
        ...

    def programmed(self, ref: Ref) -> Programmed:
        """Return whether what was published last for the Model is in force."""
        ...

    def on_progress(self, call: Callable[[Ref], None]) -> None:
        """Call `call` with a Model whenever `programmed` of it may have changed."""
        ...
