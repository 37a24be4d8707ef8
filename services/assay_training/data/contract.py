"""The contract of the data, checked before anything is learned.

Its owner wrote it down, or else it is what the first version saw, held against the later ones.
All rules are checked, so that one message tells every violation: column, rule, a value that breaks it, and
how many rows do. pandera walks the rules of a column.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas
from pandas.api import types

from assay_training.errors import JobError
from assay_training.spec import ColumnRules, Contract, Data

MAX_LISTED = 10  # violations in one message
CATEGORIES = 50
FEW, ENOUGH = 20, 20  # values of a column that may be a closed list, and rows of each

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


def check(frame: pandas.DataFrame, total: int, contract: Contract, whose: str) -> None:
    """Hold the rows against a contract.

    Args:
        frame: The rows.
        total: How many rows there are, of which these may be a sample.
        contract: The rules.
        whose: Where the contract comes from, for the message.

    Raises:
        JobError: They break it.
    """
    broken = list(violations(frame, total, contract))
    if broken:
        more = f"; and {len(broken) - MAX_LISTED} more" if len(broken) > MAX_LISTED else ""
        listed = "; ".join(map(str, broken[:MAX_LISTED])) + more
        advice = "repair the data or change data.contract ({} holds nothing)"
        raise JobError("ContractViolated", f"{whose}: {listed}; {advice}")


def check_pinned(frame: pandas.DataFrame, total: int, pinned: Contract, *, listed: bool) -> None:
    """Hold the rows against what the first version saw; of `listed` features, against theirs only.

    Raises:
        JobError: They break it.
    """
    columns = {name: rules for name, rules in pinned.columns.items() if name in frame or not listed}
    held = pinned.model_copy(update={"columns": columns})
    check(frame, total, held, "what the first version saw no longer holds")


def violations(frame: pandas.DataFrame, total: int, contract: Contract) -> Iterator[Violation]:
    """Every broken rule."""
    if total < contract.min_rows:
        yield Violation("rows", f"minRows {contract.min_rows}", str(total), total)
    if contract.max_rows is not None and total > contract.max_rows:
        yield Violation("rows", f"maxRows {contract.max_rows}", str(total), total)
    for name, rules in contract.columns.items():
        if name not in frame.columns:
            yield Violation(name, "present", "no such column", len(frame))
        else:
            yield from _of_column(name, frame[name], rules)


def _of_column(name: str, column: pandas.Series, rules: ColumnRules) -> Iterator[Violation]:
    import pandera.pandas as pandera  # noqa: PLC0415  (half a second for those who have rules)

    share = float(column.isna().mean())
    if share > rules.max_null_fraction:
        rule = f"maxNullFraction {rules.max_null_fraction:g}"
        yield Violation(name, rule, f"{share:.3g}", int(column.isna().sum()))
    checks = [pandera.Check(_holding(breaks), name=rule, n_failure_cases=1) for rule, breaks in _rules(rules)]
    known = column.dropna()
    try:
        pandera.SeriesSchema(None, checks, nullable=True, name=None).validate(
            known.rename(None), lazy=True, inplace=True
        )
    except pandera.errors.SchemaErrors as found:
        for error in found.schema_errors:
            broken = ~error.check_output.astype(bool)
            yield Violation(
                name, error.check.name, repr(_plain(known[broken].iloc[0]))[:60], int(broken.sum())
            )


def _holding(breaks: Callable[[pandas.Series], Mask]) -> Callable[[pandas.Series], Mask]:
    return lambda known: ~breaks(known)


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
    return {str(name): _observed(frame[name]) for name in frame.columns}


def _observed(column: pandas.Series) -> dict[str, Any]:
    if types.is_numeric_dtype(column):
        values = np.ascontiguousarray(column, dtype=np.float64)  # once, as rows lie apart in a table of many
        ends = {"min": float(np.fmin.reduce(values)), "max": float(np.fmax.reduce(values))}
        return {"type": "number", **ends, "nullFraction": float(np.isnan(values).mean())}
    nulls = {"nullFraction": float(column.isna().mean())}
    counts = column.value_counts()
    few = sorted(map(str, counts.index)) if len(counts) <= CATEGORIES else None
    return {"type": "text", "distinct": len(counts), **({"values": few} if few else {}), **nulls}


def pinned(frame: pandas.DataFrame, data: Data, known: Contract | None, total: int) -> Contract | None:
    """What later versions are held against: what is pinned already, or else what these rows are like.

    Ranges are widened by their own width, null fractions doubled: a contract is for mistakes, not for drift.
    """
    if known is not None or data.contract is not None:
        return known
    moving = {data.key, data.time}
    columns = {str(name): _typical(frame[name]) for name in frame.columns if name not in moving}
    return Contract(
        columns={data.key: ColumnRules(unique=True, max_null_fraction=0.0), **columns}, min_rows=total // 2
    )


def _typical(column: pandas.Series) -> ColumnRules:
    nulls = min(1.0, 2 * float(column.isna().mean()) + 0.05)
    if types.is_bool_dtype(column) or types.infer_dtype(column, skipna=True) == "boolean":
        return ColumnRules(type="boolean", max_null_fraction=nulls)
    if types.is_numeric_dtype(column):
        low, high = float(column.min()), float(column.max())
        span = high - low
        least = 0.0 if 0 <= low <= span else low - span
        return ColumnRules(type="number", min=least, max=high + span, max_null_fraction=nulls)
    if types.is_datetime64_any_dtype(column):
        return ColumnRules(max_null_fraction=nulls)
    known = column.dropna().astype(str).unique()
    few = len(known) <= min(FEW, len(column) / ENOUGH)
    return ColumnRules(type="text", allowed=tuple(sorted(known)) if few else (), max_null_fraction=nulls)
