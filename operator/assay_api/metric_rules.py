"""The rules of an Experiment's metrics, and of their sizes against each other."""

from collections.abc import Iterator
from typing import Any

from pydantic.alias_generators import to_camel

from assay_api.metric_source import QUERIES, Query
from assay_api.rule import Rule

QUERY_BYTES = 16_384  # bytes of all queries of an Experiment
SMALLEST_RATE = 1e-6
SMALLEST_PART = 1e-6  # of the deviation; below, no sample is large enough

ONE_SIZE = Rule(
    "has(self.absolute) != has(self.relative)",
    "say exactly one of absolute or relative",
    lambda size: (size.absolute is None) != (size.relative is None),
)


def _query_rules(source: str, name: str) -> Iterator[Rule]:
    """Yield the rules of a source that somebody else counts."""
    field, needs = name.lower(), QUERIES[name].MEAN
    yield Rule(
        f"({source} == '{name}') == has(self.{field})",
        f"source {name} needs {field}, and no other source may have it",
        lambda metric: (metric.source == name) == (getattr(metric, field) is not None),
    )
    if needs:
        yield Rule(
            f"self.type != 'Mean' || !has(self.{field}) || has(self.{field}.{to_camel(needs)})",
            f"a Mean of {name} needs {field}.{to_camel(needs)}",
            lambda metric: (
                metric.type != "Mean"
                or (query := getattr(metric, field)) is None
                or getattr(query, needs) is not None
            ),
            f".{field}",
        )


def _metric_rules(source: str = "self.source") -> tuple[Rule, ...]:
    """Return the rules of every metric; `source` is CEL for where it comes from."""
    return (
        Rule(
            f"{source} != 'Gateway' || self.type == 'Proportion'",
            "a Gateway metric is a Proportion of units; type must be Proportion",
            lambda metric: metric.source != "Gateway" or metric.type == "Proportion",
            ".type",
        ),
        Rule(
            f"{source} == 'Gateway' || !has(self.slowerThan)",
            "slowerThan needs source Gateway",
            lambda metric: metric.source == "Gateway" or metric.slower_than is None,
            ".slowerThan",
        ),
        Rule(
            f"{source} == 'Events' || (!has(self.window) && !has(self.aggregate))",
            "window and aggregate need source Events; another source counts by its query",
            lambda metric: metric.source == "Events" or not (metric.window or metric.aggregate),
        ),
        Rule(
            f"!has(self.lag) || ({source} == 'Events' && self.missing == 'Zero' && !has(self.window))",
            "lag needs source Events, missing Zero and no window: a window says the same, and outcomes after "
            "it do not count",
            lambda metric: metric.lag is None or metric.unbounded,
            ".lag",
        ),
        Rule(
            f"{source} != 'Gateway' || self.direction == 'Decrease'",
            "a Gateway metric counts bad units; direction must be Decrease",
            lambda metric: metric.source != "Gateway" or metric.direction == "Decrease",
            ".direction",
        ),
        Rule(
            f"{source} != 'Gateway' || self.missing == 'Zero'",
            "a Gateway metric counts every exposed unit; missing must be Zero",
            lambda metric: metric.source != "Gateway" or metric.missing == "Zero",
            ".missing",
        ),
        Rule(
            "self.type == 'Mean' || !has(self.cap)",
            "cap needs type Mean",
            lambda metric: metric.type == "Mean" or metric.cap is None,
            ".cap",
        ),
        Rule(
            f"{source} == 'Events' || !has(self.cap)",
            "cap needs source Events; another source caps in its query",
            lambda metric: metric.source == "Events" or metric.cap is None,
            ".cap",
        ),
        *(rule for name in QUERIES for rule in _query_rules(source, name)),
        Rule(
            "self.type != 'Proportion' || !has(self.baseline)"
            " || (self.baseline > 0.0 && self.baseline < 1.0)",
            "baseline of a Proportion must be above 0 and below 1; say 0.2 for 20 percent",
            lambda metric: metric.type != "Proportion" or metric.baseline is None or 0 < metric.baseline < 1,
            ".baseline",
        ),
    )


def _changed(size: str, *, better: bool) -> str:
    """Return CEL for the baseline, moved by the size at `size`, for the better or for the worse."""
    up = "Increase" if better else "Decrease"
    step = f"(has({size}.absolute) ? {size}.absolute : self.baseline * {size}.relative)"
    return f"self.baseline + (self.direction == '{up}' ? 1.0 : -1.0) * {step}"


def _moved(metric: Any, size: Any, *, better: bool) -> float:
    """Return the same as a number."""
    sign = 1.0 if (metric.direction == "Increase") == better else -1.0
    return float(metric.baseline + sign * _step(metric, size))


def _step(metric: Any, size: Any) -> float:
    return float(metric.baseline * size.relative if size.absolute is None else size.absolute)


def _planned(metric: Any, kind: str) -> bool:
    """Whether the metric is of that type and says both its baseline and the effect to find."""
    return metric.type == kind and metric.baseline is not None and metric.minimum_effect is not None


_EFFECT = "(has(self.minimumEffect) && has(self.baseline) && self.type == '{0}')"
_SIZE = (
    "(has(self.minimumEffect.absolute) ? self.minimumEffect.absolute"
    " : self.minimumEffect.relative * (self.baseline < 0.0 ? -self.baseline : self.baseline))"
)


def _size(metric: Any) -> float:
    effect = metric.minimum_effect
    return float(effect.relative * abs(metric.baseline) if effect.absolute is None else effect.absolute)


EFFECT_FITS = Rule(
    f"!{_EFFECT.format('Proportion')} || ({_changed('self.minimumEffect', better=True)} > 0.0"
    f" && {_changed('self.minimumEffect', better=True)} < 1.0)",
    "baseline and minimumEffect of a Proportion must add up to a rate above 0 and below 1; choose a smaller "
    "effect",
    lambda m: not _planned(m, "Proportion") or 0 < _moved(m, m.minimum_effect, better=True) < 1,
    ".minimumEffect",
)
RATE_IS_FINDABLE = Rule(
    f"!{_EFFECT.format('Proportion')} || {_SIZE} >= {SMALLEST_RATE:.6f}",
    f"minimumEffect of a Proportion must be at least {SMALLEST_RATE:.6f}, or no sample is large enough",
    lambda m: not _planned(m, "Proportion") or _size(m) >= SMALLEST_RATE,
    ".minimumEffect",
)
MEAN_IS_FINDABLE = Rule(
    f"!{_EFFECT.format('Mean')} || !has(self.deviation) || {_SIZE} >= self.deviation * {SMALLEST_PART:.6f}",
    "minimumEffect of a Mean must be at least a millionth of its deviation, or no sample is large enough; a "
    "relative effect needs a baseline other than 0",
    lambda m: not _planned(m, "Mean") or m.deviation is None or _size(m) >= m.deviation * SMALLEST_PART,
    ".minimumEffect",
)

SOURCE_IS_NAMED = Rule(
    "has(self.source) || self.name == 'errors' || has(self.slowerThan)",
    "source is required of a guardrail, unless its name is errors or it has slowerThan: Gateway counts "
    "errors, Events counts outcomes of this name",
    lambda g: "source" in g.model_fields_set or g.name == "errors" or g.slower_than is not None,
)
MARGIN_IS_A_RATE = Rule(
    "self.type != 'Proportion' || !has(self.margin.absolute) || self.margin.absolute < 1.0",
    "margin.absolute of a Proportion must be below 1; say 0.02 for 2 percentage points",
    lambda g: g.type != "Proportion" or g.margin.absolute is None or g.margin.absolute < 1,
    ".margin",
)
MARGIN_LEAVES_SOMETHING = Rule(
    "self.direction != 'Increase' || !has(self.margin.relative) || self.margin.relative < 1.0",
    "margin.relative must be below 1 where direction is Increase: with 1 the metric may fall to nothing",
    lambda g: g.direction != "Increase" or g.margin.relative is None or g.margin.relative < 1,
    ".margin",
)
MARGIN_CAN_BE_BROKEN = Rule(
    "self.type != 'Proportion' || !has(self.baseline)"
    f" || ({_changed('self.margin', better=False)} > 0.0 && {_changed('self.margin', better=False)} < 1.0)",
    "baseline and margin of a Proportion must add up to a rate above 0 and below 1, or nothing breaches it; "
    "choose a smaller margin",
    lambda g: g.type != "Proportion" or g.baseline is None or 0 < _moved(g, g.margin, better=False) < 1,
    ".margin",
)

METRIC_RULES = _metric_rules()
PRIMARY_RULES = (*METRIC_RULES, EFFECT_FITS, RATE_IS_FINDABLE, MEAN_IS_FINDABLE)
GUARDRAIL_RULES = (
    *_metric_rules("(has(self.source) ? self.source : 'Gateway')"),
    SOURCE_IS_NAMED,
    MARGIN_IS_A_RATE,
    MARGIN_LEAVES_SOMETHING,
    MARGIN_CAN_BE_BROKEN,
)

UNIQUE_METRICS = Rule(
    "(has(self.primary) ? [self.primary.name] : []).map(n, n)"
    ".all(n, self.guardrails.all(g, g.name != n) && self.secondary.all(s, s.name != n))"
    " && self.guardrails.all(g, self.guardrails.exists_one(h, h.name == g.name)"
    " && self.secondary.all(s, s.name != g.name))"
    " && self.secondary.all(s, self.secondary.exists_one(t, t.name == s.name))",
    "metrics must have different names",
    lambda metrics: len({metric.name for metric in metrics.every}) == len(metrics.every),
)


def _bytes(metric: str) -> str:
    return " + ".join(
        f"(has({metric}.{name.lower()}) ? {_texts(f'{metric}.{name.lower()}', query)} : 0)"
        for name, query in QUERIES.items()
    )


def _texts(path: str, query: type[Query]) -> str:
    fields = {f"{path}.{to_camel(name)}": query.model_fields[name].is_required() for name in query.TEXTS}
    return " + ".join(
        f"size(bytes({field}))" if required else f"(has({field}) ? size(bytes({field})) : 0)"
        for field, required in fields.items()
    )


QUERIES_FIT = Rule(
    f"(has(self.primary) ? {_bytes('self.primary')} : 0) + self.guardrails.map(m, {_bytes('m')}).sum()"
    f" + self.secondary.map(m, {_bytes('m')}).sum() <= {QUERY_BYTES}",
    f"the queries of all metrics must have at most {QUERY_BYTES} bytes together; use views or recording "
    "rules",
    lambda metrics: sum(metric.query.size for metric in metrics.every if metric.query) <= QUERY_BYTES,
)
METRICS_RULES = (UNIQUE_METRICS, QUERIES_FIT)
