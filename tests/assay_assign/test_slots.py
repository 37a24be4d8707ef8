from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from assay_assign import SLOTS, arm_at, decode, encode, pseudonym, slot, table
from assay_assign.slots import moved

WEIGHTS = st.integers(1, 98).flatmap(
    lambda a: st.integers(1, 99 - a).map(lambda b: {"control": 100 - a - b, "a": a, "b": b})
)
STEPS = st.lists(st.integers(1, 99), min_size=2, max_size=2).map(sorted)


def fitting(weights: dict[str, int], steps: list[int]) -> list[int]:
    return [min(step, 100 - weights["control"]) for step in steps]


@given(weights=WEIGHTS, steps=STEPS)
def test_widening_only_adds_slots_to_an_arm(weights: dict[str, int], steps: list[int]) -> None:
    before, after = (table(weights, step) for step in fitting(weights, steps))
    assert moved(before, after) is None
    for small, large in zip(before, after, strict=True):
        assert (small.arm, small.start) == (large.arm, large.start)


@given(weights=WEIGHTS)
def test_the_last_step_leaves_no_slot_and_shares_none(weights: dict[str, int]) -> None:
    full = table(weights, 100 - weights["control"])
    assert (full[0].start, full[-1].end) == (0, SLOTS)
    assert all(a.end == b.start for a, b in pairwise(full))


@given(weights=WEIGHTS, steps=STEPS, unit=st.text(max_size=40))
def test_no_unit_ever_changes_arm_on_the_way_up(weights: dict[str, int], steps: list[int], unit: str) -> None:
    before, after = (arm_at(table(weights, step), slot("salt", unit)) for step in fitting(weights, steps))
    assert before in {None, after}


@given(weights=WEIGHTS, percent=st.integers(1, 99))
def test_a_table_survives_being_written_down(weights: dict[str, int], percent: int) -> None:
    (fits, _) = fitting(weights, [percent, percent])
    assert decode(encode(table(weights, fits))) == table(weights, fits)


@pytest.mark.parametrize(
    ("weights", "percent", "why"),
    [
        pytest.param({"control": 50, "b": 40}, 5, "add up", id="weights that leave units over"),
        pytest.param({"control": 110, "b": -10}, 5, "positive", id="a negative weight"),
        pytest.param({"control": 80, "b": 20}, 25, "at most 20", id="more than the candidates own"),
        pytest.param({"control": 80, "b": 20}, 0, "above 0", id="nothing"),
    ],
)
def test_an_impossible_table_is_refused(weights: dict[str, int], percent: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        table(weights, percent)


@pytest.mark.parametrize("text", ["control", "control:5-1", "a:0-20,b:10-30", "a:0-10001", "a:x-3"])
def test_a_text_that_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"table|interval"):
        decode(text)


@pytest.mark.parametrize(
    "weights",
    [
        {"control": 90, "b": 10},
        {"control": 75, "b": 25},
        {"control": 50, "b": 30, "c": 20},
    ],
)
def test_the_hash_is_fair_for_every_ratio(weights: dict[str, int]) -> None:
    full = table(weights, 100 - weights["control"])
    arms = [arm_at(full, slot("fair", f"user-{n}")) for n in range(20_000)]
    counts = [arms.count(arm) for arm in weights]
    assert chisquare(counts, [200 * w for w in weights.values()]).pvalue > 1e-4
    assert all(abs(n / 200 - w) < 1 for n, w in zip(counts, weights.values(), strict=True))


# Published test vectors: any other implementation must agree with them.
VECTORS = [
    ("exp-1", "user-42", 8343),
    ("", "", 1481),
    ("salt", "ünïcødé", 2370),
]


@pytest.mark.parametrize(("salt", "unit", "expected"), VECTORS)
def test_published_vectors(salt: str, unit: str, expected: int) -> None:
    assert slot(salt, unit) == expected


def test_a_pseudonym_depends_on_the_key_and_hides_the_unit() -> None:
    assert pseudonym(b"one", "user-42") != pseudonym(b"two", "user-42")
    assert "user" not in pseudonym(b"one", "user-42")
