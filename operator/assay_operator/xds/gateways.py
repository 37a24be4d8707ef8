"""What reconcilers may ask of the gateways, whoever they are."""

from typing import NamedTuple, Protocol

from assay_api import Ref
from assay_operator.gateway import ModelRoute


class Programmed(NamedTuple):
    """Whether the published route of a Model is in force.

    Attributes:
        done: Every gateway that serves traffic acknowledged it, and there is at least one.
        gateways: How many gateways are connected.
        message: The same in words, for a condition.
        nack: Envoy's reason if it refused the route; the one before it stays in force.
    """

    done: bool
    gateways: int
    message: str
    nack: str | None = None


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

    async def wait_programmed(self, ref: Ref, timeout: float) -> Programmed:  # noqa: ASYNC109  the caller's bound
        """Return as soon as the route is in force or refused, at the latest after `timeout` seconds."""
        ...
