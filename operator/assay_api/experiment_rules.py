"""The rules of an Experiment as a whole: its arms, ramp, layer and times against each other."""

from typing import Any

from assay_api.duration import cel, milliseconds
from assay_api.metric_source import QUERIES
from assay_api.rule import Rule

ALL = 100
TWO = 2
RESERVED = ["none", "unenrolled", "champion"]
MOST_READINGS = 60  # metrics times candidates: what status and evidence of a verdict have room for
FORBIDDEN_HEADERS = [
    "authorization", "connection", "content-length", "content-type", "cookie", "host", "keep-alive",
    "proxy-authenticate", "proxy-authorization", "proxy-connection", "set-cookie", "te", "trailer",
    "transfer-encoding", "upgrade", "x-request-id",
]  # fmt: skip

OUR_HEADERS = Rule(
    "!self.header.matches('^x-(assay|envoy)-')",
    "unit.header must not start with x-assay- or x-envoy-, which are the gateway's own",
    lambda unit: not unit.header.startswith(("x-assay-", "x-envoy-")),
    ".header",
)
SPECIAL_HEADERS = Rule(
    f"!(self.header in {FORBIDDEN_HEADERS})",
    "unit.header must not be a header of credentials or of the connection, or x-request-id; copy the id "
    "of the unit into a header of its own",
    lambda unit: unit.header not in FORBIDDEN_HEADERS,
    ".header",
)
ENDS = Rule(
    f"!has(self.minDuration) || {cel('self.minDuration')} <= {cel('self.maxDuration')}",
    "minDuration must not be longer than maxDuration, or no candidate can win; say both",
    lambda decision: milliseconds(decision.min_duration) <= milliseconds(decision.max_duration),
    ".minDuration",
)

WEIGHTS_ADD_UP = Rule(
    "self.arms.map(a, a.weight).sum() == 100",
    "the weights of the arms must add up to 100",
    lambda it: sum(arm.weight for arm in it.arms) == ALL,
    ".arms",
)
NAMES_DIFFER = Rule(
    "self.arms.all(a, self.arms.exists_one(b, a.name == b.name))",
    "the arms must have different names",
    lambda it: len({arm.name for arm in it.arms}) == len(it.arms),
    ".arms",
)
NAME_IS_TAKEN = Rule(
    f"self.arms.all(a, !(a.name in {RESERVED}))",
    "none, unenrolled and champion are no names for an arm",
    lambda it: not {arm.name for arm in it.arms} & set(RESERVED),
    ".arms",
)
RAMP_ASCENDS = Rule(
    "self.ramp.map(s, s.percent).isSorted()",
    "the ramp must be ascending",
    lambda it: _percents(it) == sorted(_percents(it)),
    ".ramp",
)
RAMP_FITS = Rule(
    "self.ramp.all(s, s.percent <= 100 - self.arms[0].weight)",
    "the ramp must not exceed the weight of the candidates, 100 minus the weight of the first arm",
    lambda it: max(_percents(it)) <= ALL - it.arms[0].weight,
    ".ramp",
)
LAYER_FITS = Rule(
    "!has(self.layer) || self.ramp.all(s, s.percent * 100 <= self.layer.share * (100 - self.arms[0].weight))",
    "in a layer the ramp must not exceed the candidates' part of layer.share",
    lambda it: it.layer is None or max(_percents(it)) * ALL <= it.layer.share * (ALL - it.arms[0].weight),
    ".ramp",
)
PROMISE = Rule(
    "has(self.metrics.primary) || size(self.metrics.guardrails) > 0",
    "an Experiment needs a primary metric or a guardrail, or it could never decide",
    lambda it: bool(it.metrics.primary or it.metrics.guardrails),
    ".metrics",
)
_STEPS = f"self.ramp.map(s, {cel('s.minDuration')}).sum()"
RAMP_ENDS = Rule(
    f"{_STEPS} <= {cel('self.decision.maxDuration')}",
    "the steps of the ramp must end within decision.maxDuration, or no candidate can win; shorten their "
    "minDuration",
    lambda it: sum(_steps(it)) <= _most(it),
    ".ramp",
)
UNITS_FIT = Rule(
    "self.decision.maxUnits == 0"
    " || self.ramp.all(s, s.minUnitsPerArm * size(self.arms) <= self.decision.maxUnits)",
    "ramp.minUnitsPerArm of all arms together must not exceed decision.maxUnits",
    lambda it: (
        not it.decision.max_units
        or max(step.min_units_per_arm for step in it.ramp) * len(it.arms) <= it.decision.max_units
    ),
    ".ramp",
)
_MOST = cel("self.decision.maxDuration")


def _end(field: str, bounds: str) -> Rule:
    return Rule(
        f"(!has(self.metrics.primary) || !has(self.metrics.primary.{field})"
        f" || {cel(f'self.metrics.primary.{field}')} <= {_MOST})"
        f" && self.metrics.guardrails.all(m, !has(m.{field}) || {cel(f'm.{field}')} <= {_MOST})"
        f" && self.metrics.secondary.all(m, !has(m.{field}) || {cel(f'm.{field}')} <= {_MOST})",
        f"the {field} of a metric must not be longer than decision.maxDuration, or no unit is {bounds} in "
        "time",
        lambda it: all(milliseconds(e) <= _most(it) for m in it.metrics.every if (e := getattr(m, field))),
        ".metrics",
    )


WINDOWS_END = _end("window", "complete")
LAGS_END = _end("lag", "old enough")
FEW_READINGS = Rule(
    "(size(self.arms) - 1) * ((has(self.metrics.primary) ? 1 : 0) + size(self.metrics.guardrails)"
    f" + size(self.metrics.secondary)) <= {MOST_READINGS}",
    f"metrics times candidates must be at most {MOST_READINGS}; drop secondary metrics, or arms",
    lambda it: (len(it.arms) - 1) * len(it.metrics.every) <= MOST_READINGS,
    ".metrics",
)
DESIGN_RULES = (
    WEIGHTS_ADD_UP, NAMES_DIFFER, NAME_IS_TAKEN, RAMP_ASCENDS, RAMP_FITS, LAYER_FITS, PROMISE, RAMP_ENDS,
    UNITS_FIT, WINDOWS_END, LAGS_END, FEW_READINGS,
)  # fmt: skip

TWO_ARE_GIVEN = Rule(
    "!has(self.arms[0].version) && !has(self.arms[1].version)"
    " && size(self.arms.filter(a, !has(a.version))) == 2",
    "the first two arms are the champion and the new version, and name no version; every further arm names "
    "one",
    lambda it: [arm.version is None for arm in it.arms] == [True] * TWO + [False] * (len(it.arms) - TWO),
    ".arms",
)
NAMED_DIFFER = Rule(
    "self.arms.all(a, !has(a.version) || self.arms.exists_one(b, has(b.version) && a.version == b.version))",
    "the arms must name different versions",
    lambda it: len({arm.version for arm in it.arms[TWO:]}) == len(it.arms) - TWO,
    ".arms",
)
TEMPLATE_RULES = (*DESIGN_RULES, TWO_ARE_GIVEN, NAMED_DIFFER)

VERSIONS_DIFFER = Rule(
    "self.mode == 'AA' ? self.arms.all(a, a.version == self.arms[0].version)"
    " : self.arms.all(a, self.arms.exists_one(b, a.version == b.version))",
    "the arms must serve different versions (mode AA: the same one)",
    lambda it: len({arm.version for arm in it.arms}) == (1 if it.mode == "AA" else len(it.arms)),
    ".arms",
)
SHADOW_IS_ONE = Rule(
    "self.mode != 'Shadow' || (size(self.arms) == 2 && !has(self.layer))",
    "mode Shadow has a control and one candidate, and no layer",
    lambda it: not _shadow(it) or (len(it.arms) == TWO and it.layer is None),
)
SHADOW_COUNTS_NO_UNITS = Rule(
    "self.mode != 'Shadow' || (!has(self.metrics.primary) && size(self.metrics.guardrails) == 0"
    f" && self.metrics.secondary.all(m, {' || '.join(f'has(m.{name.lower()})' for name in QUERIES)})"
    " && self.ramp.all(s, s.minUnitsPerArm == 0))",
    "mode Shadow counts no units: no primary, no guardrails, no minUnitsPerArm, and secondary metrics of "
    f"{', '.join([*QUERIES][:-1])} or {[*QUERIES][-1]} only",
    lambda it: not _shadow(it) or _counts_no_units(it),
)


def _for_any_mode(rule: Rule) -> Rule:
    without_split = rule in (RAMP_FITS, PROMISE)  # what a shadow need not heed
    return rule.unless("self.mode == 'Shadow'", _shadow) if without_split else rule


def _shadow(it: Any) -> bool:
    return bool(it.mode == "Shadow")


def _counts_no_units(it: Any) -> bool:
    queried = all(metric.query for metric in it.metrics.secondary)
    uncounted = not any(step.min_units_per_arm for step in it.ramp)
    return not it.metrics.primary and not it.metrics.guardrails and queried and uncounted


def _percents(it: Any) -> list[int]:
    return [step.percent for step in it.ramp]


def _steps(it: Any) -> list[int]:
    return [milliseconds(step.min_duration) for step in it.ramp]


def _most(it: Any) -> int:
    return milliseconds(it.decision.max_duration)


SPEC_RULES = (*map(_for_any_mode, DESIGN_RULES), VERSIONS_DIFFER, SHADOW_IS_ONE, SHADOW_COUNTS_NO_UNITS)


def _frozen(field: str) -> Rule:
    """Return the rule that a field stays while the Experiment runs; only the API server can tell."""
    same = f"has(self.spec.{field}) == has(oldSelf.spec.{field})"
    return Rule(
        "!has(self.status) || !has(self.status.startedAt)"
        f" || ({same} && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}))",
        f"{field} cannot change while the Experiment runs; make a new Experiment",
        field=f".spec.{field}",
    )


FROZEN = tuple(
    map(
        _frozen,
        ("modelRef", "mode", "arms", "unit", "layer", "ramp", "metrics", "decision", "hypothesis"),
    )
)
