"""Everything that is known of one unit of a Model: where it is enrolled, and its outcomes.

It is one row of the store, so an event reads and writes one place on disk, however many units there are.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from assay_collector.attribution.unit import Outcome, Unit

KEPT = 16  # outcomes in the row; the few units that have more get rows of outcomes


class History(Struct, array_like=True, gc=False):
    """What a transaction may change.

    Attributes:
        units: By row number of the Experiment.
        outcomes: All of them, unless `spilled`.
        spilled: Whether outcomes have rows of their own, this one and all that follow.
    """

    units: dict[int, Unit]
    outcomes: list[Outcome]
    spilled: bool = False

    def keep(self, outcome: Outcome) -> bool:
        """Add an outcome, if its id is new for its metric, and tell whether it is."""
        for known in self.outcomes:
            if known.key == outcome.key and known.metric == outcome.metric:
                return False
        self.outcomes.append(outcome)
        return True


write = msgspec.msgpack.Encoder().encode
read = msgspec.msgpack.Decoder(History).decode


def waiting(outcomes: Iterable[Outcome], since: int) -> list[Outcome]:
    """Return the outcomes that arrived after `since`."""
    return [outcome for outcome in outcomes if outcome.arrived > since]
