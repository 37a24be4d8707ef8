from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_training.data.split import parts, since, uniform
from assay_training.spec import Split

KEYS = st.lists(st.text(max_size=20), unique=True, min_size=1, max_size=60)


def sides(keys: list[str], salt: str = "churn") -> dict[str, int]:
    return dict(zip(keys, parts(keys, Split(), salt).fold.tolist(), strict=True))


@given(KEYS, KEYS, st.randoms())
def test_no_row_changes_sides_when_rows_are_shuffled_and_added(keys: Any, more: Any, random: Any) -> None:
    before = sides(keys)
    together = list(dict.fromkeys([*more, *keys]))
    random.shuffle(together)
    after = sides(together)
    assert {key: after[key] for key in keys} == before


def test_sides_are_the_same_on_every_machine() -> None:
    assert list(sides(list("12345678"), salt="demo/churn").values()) == [2, -1, 2, 2, 2, 1, 1, -1]


@pytest.mark.parametrize("test", [0.05, 0.2, 0.5])
def test_the_test_share_is_what_was_asked_for(test: float) -> None:
    keys = [str(number) for number in range(20_000)]
    share = parts(keys, Split(test=test), "s").test.mean()
    assert abs(share - test) < 4 * np.sqrt(test * (1 - test) / len(keys))


def test_folds_are_of_equal_size_but_for_chance() -> None:
    placed = parts([str(number) for number in range(20_000)], Split(folds=5), "s")
    counts = np.bincount(placed.fold[placed.train], minlength=5)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 18.5  # chi-square, 4 degrees, 1 in 1,000


def test_the_sample_says_nothing_about_the_side() -> None:
    keys = [str(number) for number in range(20_000)]
    inside = uniform(keys, "sample", "sample") < 0.5
    test = parts(keys, Split(), "s").test
    assert abs(test[inside].mean() - test[~inside].mean()) < 0.025


def test_another_salt_parts_otherwise() -> None:
    keys = [str(number) for number in range(1000)]
    assert abs(np.corrcoef(uniform(keys, "a", "test"), uniform(keys, "b", "test"))[0, 1]) < 0.15


def days(*numbers: float) -> np.ndarray:
    return np.array(numbers) * 86_400.0


def test_with_times_the_newest_share_is_the_test() -> None:
    times = days(*range(100))
    placed = parts([str(number) for number in range(100)], Split(test=0.2), "s", times)
    assert placed.test.tolist() == [False] * 80 + [True] * 20
    assert placed.cutoff == pytest.approx(79.2 * 86_400)


def test_a_given_date_moves_no_row_when_newer_ones_come() -> None:
    split = Split(test_from="1970-01-08")
    few, more = (
        parts([str(number) for number in range(count)], split, "s", days(*range(count))) for count in (10, 20)
    )
    assert few.test.tolist() == [False] * 7 + [True] * 3
    assert more.fold[:10].tolist() == few.fold.tolist()
    assert since("1970-01-08T02:00:00+02:00") == 7 * 86_400


def test_a_group_is_where_its_newest_row_is() -> None:
    placed = parts(["a", "a", "b", "b"], Split(test_from="1970-01-03"), "s", days(0, 5, 0, 1))
    assert placed.test.tolist() == [True, True, False, False]
