from pathlib import Path

import pandas as pd
import prepare
import pytest
from churndemo import customers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("churn")
    prepare.prepare(folder)
    return folder


def test_everyone_is_on_one_side_and_about_two_thousand_are_held_out(folder: Path) -> None:
    training, live = pd.read_csv(folder / "churn.csv"), pd.read_csv(folder / "live.csv")
    assert len(training) + len(live) == 5_000
    assert 1_900 <= len(live) <= 2_100
    assert not set(training.customer_id) & set(live.customer_id)


def test_a_customers_side_depends_on_its_key_alone() -> None:
    assert [prepare.is_live(f"c-{i:05d}") for i in range(1, 9)] == [
        False, False, True, True, False, False, True, False,
    ]  # fmt: skip


def test_a_customer_is_asked_about_without_its_key_and_its_label(folder: Path) -> None:
    first, *_ = customers.read(folder / "live.csv")
    assert first.label in {"yes", "no"}
    assert set(first.row) == set(prepare.customers().columns) - {"customer_id", "churn"}


def test_numbers_stay_numbers_and_words_stay_words(folder: Path) -> None:
    row = customers.read(folder / "live.csv")[0].row
    assert (type(row["account_length"]), type(row["total_day_minutes"])) == (int, float)
    assert row["international_plan"] in {"yes", "no"}


def test_the_training_rows_fit_into_a_config_map(folder: Path) -> None:
    assert (folder / "churn.csv").stat().st_size < 1_000_000
