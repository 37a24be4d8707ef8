"""Claims about guardrails and the split."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assay_stats import guardrail_rule, harm, threshold
from assay_stats.guardrail import log_safety
from assay_stats.moments import Moments
from assay_stats.rule import GuardrailRule
from assay_stats.sampleratio import log_average
from assay_stats.simulation import Bernoulli
from assay_stats.simulation.worlds import Draw
from assay_stats.validation.claim import ALPHA, THRESHOLD_LOOKS, RateCheck, Scale


def guardrails(scale: Scale) -> Iterator[RateCheck]:
    """False rollbacks at the margin, false clearances at the margin, and the rates of a healthy candidate."""
    rows: tuple[tuple[str, GuardrailRule, float, float], ...] = (
        ("no margin", guardrail_rule("Proportion", alpha=ALPHA), 0.02, 0.02),
        ("relative .2", guardrail_rule("Proportion", alpha=ALPHA, relative=0.2), 0.02, 0.024),
        ("absolute .01", guardrail_rule("Proportion", alpha=ALPHA, absolute=0.01), 0.005, 0.015),
        (
            "absolute .02, common",
            guardrail_rule("Proportion", alpha=ALPHA, absolute=0.02, base_rate=0.3, planned_units=20_000),
            0.3,
            0.32,
        ),
    )
    for name, rule, control, treatment in rows:
        for share in (0.05, 0.5):
            worse = _guarded(rule, (control, treatment), share, scale, lambda *a: harm(*a).breached)
            yield RateCheck(
                f"rollback at the margin: {name}, share {share}", worse, ALPHA, scale.drawn * 4, "at most"
            )
            if not rule.absolute and not rule.relative:
                continue
            fine = _guarded(
                rule, (control, treatment), share, scale, lambda *a: log_safety(*a) >= threshold(ALPHA)
            )
            yield RateCheck(
                f"cleared at the margin: {name}, share {share}", fine, ALPHA, scale.drawn * 4, "at most"
            )


def canaries(scale: Scale) -> Iterator[RateCheck]:
    """Harm of twice the margin at 95:5 within 60,000 units, and clearing where there is no difference."""
    for rate, margin, found in ((0.01, 0.01, 0.8), (0.005, 0.01, 0.9), (0.02, 0.02, 0.95)):
        rule = guardrail_rule("Proportion", alpha=ALPHA, absolute=margin)
        at, runs = (rate, rate + 2 * margin), scale.drawn * 4
        name = f"margin {margin}, rate {rate}, 95:5, 60,000 units"
        units = (1000,) * 60
        worse = _guarded(rule, at, 0.05, scale, lambda *a: harm(*a).breached, units=units)
        yield RateCheck(f"power, rollback at twice the margin: {name}", worse, found, runs, "at least")
        fine = _guarded(
            rule, (rate, rate), 0.05, scale, lambda *a: log_safety(*a) >= threshold(ALPHA), units=units
        )
        yield RateCheck(f"power, cleared without a difference: {name}", fine, found, runs, "at least")


def healthy(scale: Scale) -> Iterator[RateCheck]:
    """A healthy candidate at 99.5% success, 60 requests an interval, over 25 intervals."""
    rule = guardrail_rule("Proportion", alpha=ALPHA)
    rolled = _guarded(rule, (0.005, 0.005), 0.5, scale, lambda *a: harm(*a).breached, units=(60,) * 25)
    yield RateCheck("healthy candidate rolled back, 99.5% success", rolled, ALPHA, scale.drawn * 4, "at most")


def sample_ratio(scale: Scale) -> Iterator[RateCheck]:
    """The split: false alarms over 1,000 looks at .001, and the power to see 51:49."""
    for name, parts, kind, bar in (
        ("SRM false alarms, 90:10, 1,000 looks", (0.9, 0.1), "at most", 0.001),
        ("SRM seen, 51:49 in 200,000 units", (0.51, 0.49), "at least", 0.99),
    ):
        declared = [0.9, 0.1] if kind == "at most" else [0.5, 0.5]
        rng = np.random.default_rng(7)
        runs = max(20, scale.drawn // 2)
        counts = rng.multinomial(200, parts, size=(runs, 1000)).cumsum(axis=1)
        flagged = [_flagged(run[::10], declared) for run in counts]
        yield RateCheck(name, float(np.mean(flagged)), bar, runs, kind)


def _flagged(counts: NDArray[np.int64], parts: Sequence[float]) -> bool:
    return any(log_average([float(n) for n in look], parts) >= -np.log(0.001) for look in counts)


def _guarded(
    rule: GuardrailRule,
    rates: tuple[float, float],
    share: float,
    scale: Scale,
    answer: Callable[[GuardrailRule, Moments, Moments, float], bool],
    *,
    units: tuple[int, ...] = (200,) * THRESHOLD_LOOKS,
) -> float:
    runs = scale.drawn * 4
    draw = Draw(runs, units, (1 - share, share), (0.0, rates[1] / rates[0] - 1))
    control, treatment = Bernoulli(rates[0]).draw(np.random.default_rng(11), draw)

    def once(run: int) -> bool:
        looks = zip(control.n[run], control.total[run], treatment.n[run], treatment.total[run], strict=True)
        return any(answer(rule, Moments(int(m), a), Moments(int(n), b), share) for m, a, n, b in looks)

    return sum(once(run) for run in range(runs)) / runs
