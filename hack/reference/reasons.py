"""The page of reasons, from `assay_api.reason`."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from assay_api.reason import TABLES, Documented, Reason

HEAD = """\
# Reasons

Made by `make generate` from `operator/assay_api/reason`. A reason is one word for programs. It stands in
conditions, in `status.decision.reason` and `status.findings`, in Events and as the label `reason` of metrics;
the message beside it has the numbers. [Concepts](../concepts.md#conditions) says which condition is True
when. `Reconciling` and `Stalled` carry the reason of `Progressing`, so they are not listed.

| severity | meaning | Event |
|---|---|---|
| Info | progress, or all is well | none |
| Notice | worth knowing | Normal |
| Warning | a fault that somebody has to look at | Warning |
"""
COLUMNS = """
| reason | severity | meaning | what to do | where |
|---|---|---|---|---|
"""


def reasons() -> str:
    """Return docs/reference/reasons.md: a table for each group, in alphabetical order."""
    return HEAD + "".join(
        f"\n## {title}\n{COLUMNS}{''.join(_rows(table))}" for title, table in TABLES.items()
    )


def _rows(table: Mapping[Reason, Documented]) -> Iterator[str]:
    for reason, it in sorted(table.items()):
        yield f"| `{reason}` | {it.severity} | {it.meaning} | {it.action} | {_places(it.places)} |\n"


def _places(places: tuple[str, ...]) -> str:
    """Return "Model: Ready, Degraded; Experiment: Programmed".

    >>> _places(("Model.Ready", "Model.Degraded", "Experiment.Programmed"))
    'Model: Ready, Degraded; Experiment: Programmed'
    """
    pairs = [place.split(".") for place in places]
    kinds = groupby(pairs, key=lambda pair: pair[0])
    return "; ".join(f"{kind}: {', '.join(name for _, name in names)}" for kind, names in kinds)
