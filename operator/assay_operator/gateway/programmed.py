"""Whether a route is in force."""

from typing import NamedTuple


class Programmed(NamedTuple):
    """Whether the published route of a Model is in force.

    Attributes:
        done: Every gateway that serves traffic acknowledged it, and there is at least one.
        gateways: How many gateways are connected.
        message: The same in words, for a condition.
        nack: Envoy's reason if it refused the route; the one before it stays in force.
        expected: Whether the control plane has just begun, and gateways are still to find it.
    """

    done: bool
    gateways: int
    message: str
    nack: str | None = None
    expected: bool = False
