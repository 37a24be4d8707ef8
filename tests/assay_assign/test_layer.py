"""Experiments of one layer: whoever starts, widens or ends in whatever order, a unit is in one at most."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from scipy.stats import chisquare

from assay_assign import SLOTS, Interval, Span, arm_at, gaps, room, slot, table
from assay_assign.slots import moved

SPANS = st.lists(st.integers(0, 100).map(lambda n: n * 100), max_size=12, unique=True).map(
    lambda edges: [Span(a, b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@given(taken=SPANS, share=st.integers(1, 100))
def test_a_span_is_found_exactly_when_a_gap_is_wide_enough_and_touches_nobody(
    taken: list[Span], share: int
) -> None:
    found, widest = room(taken, share), max((gap.width for gap in gaps(taken)), default=0)
    assert (found is None) == (widest < share * 100)
    if found:
        assert found.width == share * 100
        assert 0 <= found.start < found.end <= SLOTS
        assert all(found.end <= other.start or other.end <= found.start for other in taken)


@given(taken=SPANS)
def test_what_is_taken_and_what_is_free_make_up_the_whole(taken: list[Span]) -> None:
    parts = sorted([*taken, *gaps(taken)])
    assert sum(part.width for part in parts) == SLOTS
    assert all(a.end <= b.start for a, b in pairwise(parts))


@pytest.mark.parametrize("share", [0, 101, -5])
def test_an_impossible_share_is_refused(share: int) -> None:
    with pytest.raises(ValueError, match=f"share {share}"):
        room([], share)


@pytest.mark.parametrize(
    ("taken", "share", "expected"),
    [
        pytest.param([], 30, Span(0, 3000), id="an empty layer is filled from the left"),
        pytest.param([Span(0, 3000)], 70, Span(3000, 10_000), id="to the last slot"),
        pytest.param([Span(0, 3000)], 71, None, id="and not beyond"),
        pytest.param([Span(5000, 8000)], 20, Span(8000, 10_000), id="the smallest gap that fits is cut"),
        pytest.param([Span(0, 4000), Span(6000, 8000)], 30, None, id="two small gaps are no large one"),
    ],
)
def test_room_is_found(taken: list[Span], share: int, expected: Span | None) -> None:
    assert room(taken, share) == expected


@given(
    span=st.integers(0, 9).flatmap(
        lambda a: st.integers(1, 10 - a).map(lambda w: Span(a * 1000, (a + w) * 1000))
    ),
    control=st.integers(1, 98),
    part=st.floats(0.01, 1),
)
def test_the_table_stays_within_its_span_and_its_arms_within_theirs(
    span: Span, control: int, part: float
) -> None:
    weights = {"control": control, "b": 100 - control}
    most = (100 - control) * span.width / SLOTS
    small, full = table(weights, most * part, span), table(weights, most, span)
    assert moved(small, full) is None
    assert (full[0].start, full[0].end, full[1].end) == (span.start, full[1].start, span.end)


def test_more_than_the_span_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 15"):
        table({"control": 50, "b": 50}, 16, Span(0, 3000))


@dataclass
class Contest:
    """An Experiment of the layer, as it widens."""

    weights: dict[str, int]
    span: Span
    part: float = 0.0
    tables: list[tuple[Interval, ...]] = field(default_factory=list)

    def widen(self, by: float) -> None:
        self.part = min(self.part + by, 1.0)
        most = (100 - self.weights["control"]) * self.span.width / SLOTS
        self.tables.append(table(self.weights, most * self.part, self.span))


UNITS = [f"user-{n}" for n in range(500)]


class Layer(RuleBasedStateMachine):
    """Start, widen, end, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[Contest] = []

    @rule(share=st.integers(1, 60), control=st.integers(10, 90))
    def start(self, share: int, control: int) -> None:
        span = room([one.span for one in self.running], share)
        if span:
            self.running.append(Contest({"control": control, "b": 100 - control}, span))
            self.running[-1].widen(0.2)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 9), by=st.floats(0.01, 1))
    def widen(self, which: int, by: float) -> None:
        self.running[which % len(self.running)].widen(by)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 9))
    def end(self, which: int) -> None:
        del self.running[which % len(self.running)]

    @invariant()
    def no_unit_is_in_two(self) -> None:
        for unit in UNITS[:100]:
            at = slot("layer", unit)
            assert sum(arm_at(one.tables[-1], at) is not None for one in self.running) <= 1

    @invariant()
    def no_unit_has_changed_its_arm(self) -> None:
        for one in self.running:
            for before, after in pairwise(one.tables):
                assert moved(before, after) is None


Layer.TestCase.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
TestLayer = Layer.TestCase


def test_two_layers_are_independent() -> None:
    """Whoever is in an arm of one is in the arms of the other as often as anybody."""
    one = table({"control": 50, "b": 50}, 25, Span(0, 5000))
    counts = {"control": 0, "b": 0}
    for n in range(20_000):
        if arm_at(one, slot("layer-1", f"u{n}")) == "b":
            arm = arm_at(table({"control": 50, "b": 50}, 50), slot("layer-2", f"u{n}"))
            counts[str(arm)] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-4
