"""The model card of a version: what it was made from, how good it is, what has changed since the one before.

It is made from what the manifest tells, so that Markdown and HTML say the same as the record for machines.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from assay_training.reporting.previous import PreviousVersion

MARKDOWN, HTML = "card.md", "card.html"
DIGITS = 5
MOST = 15

Story = Mapping[str, Any]
Row = tuple[str, ...]
Table = tuple[Row, Sequence[Row]]


def title(story: Story) -> str:
    """What the card is about."""
    return f"{story['version']}: {story['task'].lower()} of {story['training']['data']['target']!r}"


def sections(story: Story, past: PreviousVersion) -> Iterator[tuple[str, Table | str]]:
    """Title and content of each part of the card, in order; empty ones are left out."""
    for name, content in _SECTIONS.items():
        found = content(story, past)
        if found and (isinstance(found, str) or found[1]):
            yield name, found


def _summary(story: Story, _: PreviousVersion) -> str:
    data, gates = story["data"], story.get("gates", ())
    failed = sum(not gate["passed"] for gate in gates)
    judged = (
        "has no gates"
        if not gates
        else f"fails {failed} of {len(gates)} gates"
        if failed
        else "passes its gates"
    )
    chosen = story["bestParams"]["algorithm"]
    return (
        f"{chosen}, learned from {data['train']:,} rows and judged on {data['test']:,} that it never saw; "
        f"it {judged}. {story['training']['data'].get('provenance', '')}".strip()
    )


def _change(story: Story, past: PreviousVersion) -> Table:
    if not past.story:
        return ("", "", ""), []
    before, now = _facts(past.story), _facts(story)
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    rows = [(name, before.get(name, "-"), now.get(name, "-")) for name in changed]
    return ("what", past.name, story["version"]), rows


def _facts(story: Story) -> dict[str, str]:
    """Everything that two versions may differ in, by a name that people read."""
    found = {f"data: {name}": _text(story["data"].get(name)) for name in ("digest", "rows", "train", "test")}
    found |= {f"best: {name}": _text(value) for name, value in story["bestParams"].items()}
    found |= {f"test {name}": _text(value) for name, value in story["metrics"]["test"].items()}
    found |= {
        f"slice {gate['rule']}: {gate['metric']}": _text(gate["value"])
        for gate in story.get("gates", ())
        if " in each " in gate["rule"]
    }
    found |= {f"spec: {name}": text for name, text in _flat("", story["training"])}
    features = story.get("observed", {})
    return found | {f"feature {name}": _text(what.get("type")) for name, what in features.items()}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    else:
        yield prefix, _text(value)


def _metrics(story: Story, _: PreviousVersion) -> Table:
    found = story["metrics"]
    rows = [
        (
            name,
            _text(value),
            _interval(found.get("ci", {}).get(name)),
            _text(found["crossValidation"].get(name)),
        )
        for name, value in found["test"].items()
    ]
    return ("metric", "test rows", "95 % interval", "out of fold"), rows


def _gates(story: Story, _: PreviousVersion) -> Table:
    rows = [
        ("passed" if gate["passed"] else "FAILED", gate["metric"], gate["rule"], gate["message"])
        for gate in story.get("gates", ())
    ]
    return ("", "metric", "rule", "what was found"), rows


def _findings(story: Story, _: PreviousVersion) -> Table:
    rows = [(one["reason"], one["message"]) for one in story.get("findings", ())]
    if count := story.get("suspects"):
        words = f"the labels of {count} training rows are doubtful; they are marked in out-of-fold.parquet"
        rows.append(("LabelSuspects", words))
    return ("finding", "what it says"), rows


def _parameters(story: Story, _: PreviousVersion) -> Table:
    return ("parameter", "value"), [(name, _text(value)) for name, value in story["bestParams"].items()]


def _importances(story: Story, _: PreviousVersion) -> Table:
    found = list(story.get("importances", {}).items())[:MOST]
    return ("feature", "loss when shuffled"), [(name, _text(value)) for name, value in found]


def _features(story: Story, _: PreviousVersion) -> Table:
    rows = [
        (name, what["type"], _range(what), f"{what['nullFraction']:.1%}")
        for name, what in story.get("observed", {}).items()
    ]
    return ("feature", "type", "values", "null"), rows


def _data(story: Story, _: PreviousVersion) -> Table:
    rows = [(name, _text(value)) for name, value in _flat("", story["data"])]
    return ("data", ""), rows


_SECTIONS: dict[str, Callable[[Story, PreviousVersion], Table | str]] = {
    "Summary": _summary,
    "What changed": _change,
    "Metrics": _metrics,
    "Gates": _gates,
    "Findings": _findings,
    "Parameters": _parameters,
    "Importances": _importances,
    "Data": _data,
    "Features": _features,
}


def _range(what: Mapping[str, Any]) -> str:
    if what["type"] == "number":
        return f"{_text(what['min'])} to {_text(what['max'])}"
    return f"{what['distinct']} different"


def _interval(ends: Any) -> str:
    return f"{_text(ends[0])} to {_text(ends[1])}" if ends else ""


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
