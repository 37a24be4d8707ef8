"""The contract of the data: rules that its owner wrote down, checked before anything is learned.

All rules are checked, so that one message tells every violation: column, rule, a value that breaks it, and
how many.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas
from pandas.api import types

from assay_training.errors import JobError
from assay_training.spec import ColumnRules, Contract, Data

TOLD = 10  # violations in one message
CATEGORIES = 50

Mask = Any  # a Series of booleans: True where a rule is broken


class Violation(NamedTuple):
    """One broken rule."""

    column: str
    rule: str
    value: str
    rows: int

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.column}: {self.rule} broken by {self.rows} rows, e.g. {self.value}"


def check(frame: pandas.DataFrame, data: Data) -> None:
    """Hold the rows against the contract, if there is one.

    Raises:
        JobError: They break it.
    """
    if data.contract is None:
        return
    broken = list(violations(frame, data.contract))
    if broken:
        more = f"; and {len(broken) - TOLD} more" if len(broken) > TOLD else ""
        told = "; ".join(map(str, broken[:TOLD])) + more
        raise JobError("ContractViolated", f"data.contract: {told}; repair the data or change the contract")


def violations(frame: pandas.DataFrame, contract: Contract) -> Iterator[Violation]:
    """Every broken rule."""
    rows = len(frame)
    if rows < contract.min_rows:
        yield Violation("rows", f"minRows {contract.min_rows}", str(rows), rows)
    if contract.max_rows is not None and rows > contract.max_rows:
        yield Violation("rows", f"maxRows {contract.max_rows}", str(rows), rows)
    for name, rules in contract.columns.items():
        if name not in frame.columns:
            yield Violation(name, "present", "no such column", rows)
        else:
            yield from _of_column(name, frame[name], rules)


def _of_column(name: str, column: pandas.Series, rules: ColumnRules) -> Iterator[Violation]:
    share = float(column.isna().mean())
    if share > rules.max_null_fraction:
        yield Violation(
            name, f"maxNullFraction {rules.max_null_fraction:g}", f"{share:.3g}", int(column.isna().sum())
        )
    known = column.dropna()
    for rule, breaks in _rules(rules):
        mask = breaks(known)
        if count := int(mask.sum()):
            yield Violation(name, rule, repr(_plain(known[mask].iloc[0]))[:60], count)


def _rules(rules: ColumnRules) -> Iterator[tuple[str, Callable[[pandas.Series], Mask]]]:
    """The rules that were given; after the type, as the others may make no sense without it."""
    if rules.type:
        yield f"type {rules.type}", lambda known: ~_has_type(known, str(rules.type))
    if rules.min is not None:
        yield f"min {rules.min:g}", lambda known: _numbers(known) < rules.min
    if rules.max is not None:
        yield f"max {rules.max:g}", lambda known: _numbers(known) > rules.max
    if rules.allowed:
        yield (
            "allowed",
            lambda known: ~known.isin(rules.allowed) & ~known.astype(str).isin(map(str, rules.allowed)),
        )
    if rules.pattern is not None:
        yield f"pattern {rules.pattern}", lambda known: ~known.astype(str).str.fullmatch(str(rules.pattern))
    if rules.unique:
        yield "unique", lambda known: known.duplicated(keep=False)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _numbers(known: pandas.Series) -> pandas.Series:
    return pandas.to_numeric(known, errors="coerce")


def _has_type(known: pandas.Series, wanted: str) -> Mask:
    if wanted == "text":
        return _each(known, not types.is_numeric_dtype(known))
    if wanted == "boolean":
        return known.map(lambda value: isinstance(value, bool | np.bool_)).astype(bool)
    if types.is_bool_dtype(known):
        return _each(known, holds=False)
    numbers = _numbers(known)
    return numbers.notna() & (numbers % 1 == 0) if wanted == "integer" else numbers.notna()


def _each(known: pandas.Series, holds: bool) -> Mask:  # noqa: FBT001
    return pandas.Series(holds, index=known.index, dtype=bool)


def observed(frame: pandas.DataFrame) -> dict[str, dict[str, Any]]:
    """What the trained rows were like: a contract to start from."""
    return {str(name): _seen(frame[name]) for name in frame.columns}


def _seen(column: pandas.Series) -> dict[str, Any]:
    nulls = {"nullFraction": float(column.isna().mean())}
    if types.is_numeric_dtype(column):
        return {"type": "number", "min": float(column.min()), "max": float(column.max()), **nulls}
    counts = column.value_counts()
    few = sorted(map(str, counts.index)) if len(counts) <= CATEGORIES else None
    return {"type": "text", "distinct": len(counts), **({"values": few} if few else {}), **nulls}
