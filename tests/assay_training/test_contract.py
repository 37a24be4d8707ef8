"""Contracts: each rule catches what it is for, says how many and which, and leaves good rows alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_training.data.contract import observed, violations
from assay_training.errors import JobError
from assay_training.job.training import train
from assay_training.spec import Contract, Job

Make = Callable[..., Job]

ROWS = pandas.DataFrame(
    {
        "age": [18, 44, -1, 130, np.nan],
        "plan": ["basic", "gold", "basic", "platin", None],
        "email": ["a@b.c", "no", "d@e.f", "g@h.i", "j@k.l"],
        "active": [True, False, True, True, False],
        "code": ["1", "2", "x", "4", "5"],
    }
)


@pytest.mark.parametrize(
    ("column", "rules", "message"),
    [
        pytest.param("age", {"min": 0}, "age: min 0 broken by 1 rows, e.g. -1.0", id="below the minimum"),
        pytest.param(
            "age", {"max": 120}, "age: max 120 broken by 1 rows, e.g. 130.0", id="above the maximum"
        ),
        pytest.param(
            "age", {"maxNullFraction": 0.1}, "maxNullFraction 0.1 broken by 1 rows, e.g. 0.2", id="nulls"
        ),
        pytest.param(
            "plan",
            {"allowed": ["basic", "gold"]},
            "allowed broken by 1 rows, e.g. 'platin'",
            id="a new value",
        ),
        pytest.param("plan", {"unique": True}, "unique broken by 2 rows", id="a repeated value"),
        pytest.param(
            "plan", {"type": "number"}, "type number broken by 4 rows, e.g. 'basic'", id="words as numbers"
        ),
        pytest.param(
            "code",
            {"type": "integer"},
            "type integer broken by 1 rows, e.g. 'x'",
            id="one word among numbers",
        ),
        pytest.param("age", {"type": "text"}, "type text broken by 4 rows", id="numbers as words"),
        pytest.param("active", {"type": "number"}, "type number broken by 5 rows", id="booleans as numbers"),
        pytest.param("email", {"pattern": r".+@.+"}, "broken by 1 rows, e.g. 'no'", id="another shape"),
        pytest.param("phone", {}, "phone: present broken by 5 rows", id="a missing column"),
    ],
)
def test_a_broken_rule_is_told_with_column_rule_value_and_count(
    column: str, rules: dict[str, Any], message: str
) -> None:
    (found,) = violations(ROWS, len(ROWS), Contract.model_validate({"columns": {column: rules}}))
    assert message in str(found)


@pytest.mark.parametrize(
    ("column", "rules"),
    [
        pytest.param(
            "age", {"type": "number", "min": -1, "max": 130, "maxNullFraction": 0.2}, id="at the edges"
        ),
        pytest.param(
            "age", {"type": "integer", "allowed": [18, 44, -1, 130]}, id="whole numbers with a null"
        ),
        pytest.param("active", {"type": "boolean"}, id="booleans"),
        pytest.param("code", {"unique": True, "type": "text"}, id="unique texts"),
    ],
)
def test_rows_within_the_rules_pass(column: str, rules: dict[str, Any]) -> None:
    assert not list(
        violations(
            ROWS, len(ROWS), Contract.model_validate({"columns": {column: rules}, "minRows": 5, "maxRows": 5})
        )
    )


def test_row_counts_are_held() -> None:
    assert [found.rule for found in violations(ROWS, len(ROWS), Contract(min_rows=6))] == ["minRows 6"]
    assert [found.rule for found in violations(ROWS, len(ROWS), Contract(max_rows=4))] == ["maxRows 4"]


def test_a_job_tells_all_violations_and_trains_nothing(job: Make, file: Path) -> None:
    rules = {"columns": {"total_day_minutes": {"max": 100}, "state": {"allowed": ["KS"]}, "moon": {}}}
    with pytest.raises(JobError) as refusal:
        train(job(data={"contract": rules}))
    assert refusal.value.reason == "ContractViolated"
    for column in rules["columns"]:
        assert f"{column}: " in refusal.value.message
    assert not (file.parent / "store").exists()


def test_a_pattern_that_is_none_is_refused(job: Make) -> None:
    with pytest.raises(JobError, match="regular expression"):
        job(data={"contract": {"columns": {"state": {"pattern": "("}}}})


def test_what_was_observed_is_a_contract_that_the_rows_keep() -> None:
    described = observed(ROWS[["age", "plan"]])
    assert described["age"] == {"type": "number", "min": -1.0, "max": 130.0, "nullFraction": 0.2}
    assert described["plan"]["values"] == ["basic", "gold", "platin"]
