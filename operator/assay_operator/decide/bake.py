"""The bake: does the new champion answer worse than the former one did, by more than a margin?

The observation is a second of one version: the share of its answers in that second that were bad. Requests
are none: one caller sends many, and retries them when they fail; whatever happens within a second counts as
that second at most. The former champion's seconds before it was replaced and the new one's since then are
compared by `exactmargin`, whose e-value may be looked at at any time and needs no former rate to be known.
Its likelihood is that of zeros and ones, and shares are between them; but a likelihood ratio is convex in the
share, so its chord bounds it, and a mean share within the null keeps its expectation at 1 or less.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp, log
from typing import NamedTuple

from assay_api import Model
from assay_api.bake import BakeGuardrail
from assay_api.duration import span
from assay_api.model import FormerLevel
from assay_stats.exactmargin import Counts, log_harm

ALPHA = 0.01  # of all guardrails together, over the whole bake: the chance that an equal champion is undone
LEVEL_WINDOW = timedelta(
    minutes=10
)  # before it was replaced, in which the former champion's level is measured
LONGEST = timedelta(hours=1)  # for which guardrails watch: the collector keeps seconds for two
BY_BAKE = ("BakeFailed", "BakeBreached")  # who came back by a bake is not watched against who failed it
LARGEST = 700.0  # ln of what is spelled out


class Watch(NamedTuple):
    """A champion that is watched, the one that it replaced, and from when to when."""

    champion: str
    former: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Answers:
    """Sums over the seconds of one version.

    Attributes:
        seconds: In how many it answered.
        errors: Sum of the shares of its answers that failed.
        slow: Sum of the shares that were slower, by bar.
    """

    seconds: int
    errors: float
    slow: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BakeReading:
    """What the collector answered last about a watched champion.

    Attributes:
        watch: Whom it is about; None if nobody was asked.
        champion: Its answers since it took over; None if they are not known yet.
        former: Those of the former champion, in the ten minutes before.
        fault: Why there is nothing newer; empty if all is well.
    """

    watch: Watch | None = None
    champion: Answers | None = None
    former: Answers | None = None
    fault: str = ""

    def is_of(self, change: Watch) -> bool:
        """Tell whether it is about this change of champion, however long that is watched."""
        return self.watch is not None and self.watch._replace(until=change.until) == change


NOT_READ = BakeReading()


def watch(model: Model) -> Watch | None:
    """Return whom the bake is about, be it over or not; None if nobody was replaced."""
    history, rollout = model.status.history, model.spec.rollout
    if len(history) < 2 or history[0].version != model.status.champion:  # noqa: PLR2004  new and old
        return None
    new, old = history[:2]
    if new.cause in BY_BAKE:
        return None
    time = min(span(rollout.bake.duration), span(rollout.rollback_window))
    return Watch(new.version, old.version, new.since, new.since + time)


def measured(model: Model, now: datetime) -> Watch | None:
    """Return whose answers guardrails watch now."""
    found = watch(model)
    if found is None or not model.spec.rollout.bake.guardrails:
        return None
    return found if now < min(found.until, found.since + LONGEST) else None


def former_level(model: Model, reading: BakeReading, now: datetime) -> FormerLevel | None:
    """Return the level against which the champion is watched: the frozen one, or the first one read."""
    found = measured(model, now)
    if found is None:
        return None
    known = model.status.state.former_level
    if known and (known.version, known.until) == (found.former, found.since):
        return known
    former = reading.former
    if not reading.is_of(found) or former is None or not former.seconds:
        return None
    return FormerLevel(
        version=found.former,
        until=found.since,
        seconds=former.seconds,
        errors=former.errors,
        slow={bar: total for bar, total in former.slow.items() if total},
    )


def breach(model: Model, reading: BakeReading, now: datetime) -> str | None:
    """Return which guardrail the champion breached, in a sentence; None if that is not shown."""
    found, level = measured(model, now), former_level(model, reading, now)
    champion = reading.champion
    if found is None or level is None or champion is None or not reading.is_of(found):
        return None
    guardrails = model.spec.rollout.bake.guardrails
    former = Answers(level.seconds, level.errors, level.slow)
    judged = (_judged(one, found, champion, former, len(guardrails) / ALPHA) for one in guardrails)
    return next((words for words in judged if words), None)


def _judged(
    guardrail: BakeGuardrail, found: Watch, champion: Answers, former: Answers, bar: float
) -> str | None:
    margin = guardrail.margin.absolute
    counts = Counts(
        min(_bad(guardrail, champion), champion.seconds), champion.seconds,
        min(_bad(guardrail, former), former.seconds), former.seconds,
    )  # fmt: skip
    log_e = log_harm(counts, margin)
    if log_e < log(bar):
        return None
    return (
        f"guardrail {guardrail.name} breached: {found.champion} - {found.former} = {counts.difference:+.3g} "
        f"(margin {margin:g}), e-value {exp(min(log_e, LARGEST)):.3g} >= {bar:g}, n = {champion.seconds} s"
    )


def _bad(guardrail: BakeGuardrail, answers: Answers) -> float:
    bar = guardrail.slower_than
    return answers.errors if bar is None else answers.slow.get(bar, 0.0)


def guardrail_note(model: Model, reading: BakeReading, now: datetime) -> str:
    """Return what guardrails do, in words that stay the same while that does; empty without any."""
    found = measured(model, now)
    if found is None:
        return ""
    if reading.fault:
        return f"its guardrails cannot decide: {reading.fault}"
    if former_level(model, reading, now) is None:
        return (
            f"its guardrails cannot decide: no answer of {found.former} before it was replaced is counted yet"
        )
    return f"guardrails: {', '.join(one.name for one in model.spec.rollout.bake.guardrails)}"
