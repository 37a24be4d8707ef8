"""The fixed horizon: tests that hold for one look, at a size named beforehand.

Named variants, because they differ from the fifth decimal on: Welch's t, the pooled z and the unpooled z.
None of these may be looked at twice; `final` is the only way to a decision and refuses a second look.
"""

from math import exp, inf, log, sqrt
from typing import Literal, NamedTuple

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from assay_stats.difference import Arm, difference
from assay_stats.ratio import Adjusted

Alternative = Literal["two-sided", "greater", "less"]
MANY = 1e9  # degrees of freedom from which on t is normal to double precision


class Result(NamedTuple):
    """A fixed-horizon result.

    Attributes:
        estimate: What is tested: a difference, or a lift.
        se: Its standard error.
        df: Degrees of freedom; infinite for z.
        statistic: (estimate - null) / se; 0 when se is 0.
        p_value: For one look; 1 when se is 0.
        low: Lower end of the interval (-inf for "less").
        high: Upper end (inf for "greater").
    """

    estimate: float
    se: float
    df: float
    statistic: float
    p_value: float
    low: float
    high: float


class Question(NamedTuple):
    """What is asked of two arms.

    Attributes:
        alpha: Level; all of it in one tail for a one-sided alternative.
        alternative: Which differences speak against the null.
        null: The difference under the null; a margin's negative for non-inferiority.
    """

    alpha: float = 0.05
    alternative: Alternative = "two-sided"
    null: float = 0.0


def quantile(df: float, probability: float) -> float:
    """Return Student's quantile, or the normal one without degrees of freedom to speak of."""
    return float(ndtri(probability) if df >= MANY else stdtrit(df, probability))


def lower_tail(df: float, statistic: float) -> float:
    """Return P(T <= statistic) for Student's t, or the normal one for many degrees of freedom."""
    return float(ndtr(statistic) if df >= MANY else stdtr(df, statistic))


def answer(estimate: float, se: float, df: float, question: Question) -> Result:
    """Return the test and interval of an estimate with a standard error; no decision where se is 0."""
    if not se > 0:
        return Result(estimate, 0.0, df, 0.0, 1.0, -inf, inf)
    statistic = (estimate - question.null) / se
    tails = {
        "two-sided": 2 * lower_tail(df, -abs(statistic)),
        "greater": lower_tail(df, -statistic),
        "less": lower_tail(df, statistic),
    }
    reach = se * -quantile(df, question.alpha / (2 if question.alternative == "two-sided" else 1))
    low = -inf if question.alternative == "less" else estimate - reach
    high = inf if question.alternative == "greater" else estimate + reach
    return Result(estimate, se, df, statistic, tails[question.alternative], low, high)


def satterthwaite(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return (a + b)^2 / (a^2 / (m - 1) + b^2 / (n - 1)) for (squared error, units) pairs."""
    (u, m), (v, n) = a, b
    below = (u**2 / (m - 1) if u else 0.0) + (v**2 / (n - 1) if v else 0.0)
    return (u + v) ** 2 / below if below else inf


def welch(control: Arm, treatment: Arm, question: Question | None = None) -> Result:
    """Return Welch's unequal-variances t test of m_T - m_C (Welch 1947)."""
    gap = difference(control, treatment)
    return answer(gap.estimate, gap.se, _welch_df(control, treatment), question or Question())


def unpooled_z(control: Arm, treatment: Arm, question: Question | None = None) -> Result:
    """Return the z test with each arm's own variance; its interval is Wald's."""
    gap = difference(control, treatment)
    return answer(gap.estimate, gap.se, inf, question or Question())


def pooled_z(control: Arm, treatment: Arm, question: Question | None = None) -> Result:
    """Return the z test of two proportions with the variance of the null: p(1-p) of both arms together."""
    units = control.n + treatment.n
    rate = (control.n * control.mean + treatment.n * treatment.mean) / units
    se = sqrt(rate * (1 - rate) * (1 / control.n + 1 / treatment.n))
    return answer(treatment.mean - control.mean, se, inf, question or Question())


def relative_delta(control: Arm, treatment: Arm, question: Question | None = None) -> Result:
    """Return the lift m_T / m_C - 1 by the delta method, with the absolute test's degrees of freedom."""
    u, v = control.variance / control.n, treatment.variance / treatment.n
    squared = v / control.mean**2 + u * treatment.mean**2 / control.mean**4
    lift = treatment.mean / control.mean - 1
    return answer(lift, sqrt(squared), _welch_df(control, treatment), question or Question())


def relative_adjusted(
    adjusted: Adjusted, raw: tuple[float, float], question: Question | None = None
) -> Result:
    """Return CUPED's lift over the raw control mean; `raw` are the unadjusted means, control first."""
    control, treatment = (arm._replace(mean=mean) for arm, mean in zip(adjusted[1:3], raw, strict=True))
    estimate = (adjusted.treatment.mean - adjusted.control.mean) / raw[0]
    se = relative_delta(control, treatment).se
    return answer(estimate, se, _welch_df(control, treatment), question or Question())


def relative_log(control: Arm, treatment: Arm, question: Question | None = None) -> Result:
    """Return the lift with an interval from the log ratio; p is that of the absolute test.

    Raises:
        ValueError: A mean that is not positive has no logarithm.
    """
    if not (control.mean > 0 and treatment.mean > 0):
        raise ValueError(f"mean: {control.mean} and {treatment.mean} must be positive for a log ratio")
    question = question or Question()
    a = treatment.variance / treatment.n / treatment.mean**2
    b = control.variance / control.n / control.mean**2
    df = satterthwaite((a, treatment.n), (b, control.n))
    ratio = treatment.mean / control.mean
    logs = answer(log(ratio), sqrt(a + b), df, question)
    low, high = (_ratio_of(end, logs.estimate, ratio) - 1 for end in (logs.low, logs.high))
    p_value = welch(control, treatment, question).p_value
    return logs._replace(estimate=ratio - 1, p_value=p_value, low=low, high=high)


def final(test: Result, *, units: float, planned: float, looked: bool) -> Result:
    """Return the one look that a fixed horizon allows.

    Args:
        test: What the data say.
        units: Units so far.
        planned: Units named before the start.
        looked: Whether a decision was taken from this experiment before.

    Raises:
        ValueError: It is too early, or the look was taken already.
    """
    if looked:
        raise ValueError("looked: a fixed horizon has one look, and it was taken")
    if units < planned:
        raise ValueError(f"units: {units:g} of {planned:g}; a fixed horizon is not looked at before its end")
    return test


def _ratio_of(log_end: float, log_ratio: float, ratio: float) -> float:
    """Return exp(log_end), by way of the ratio so that no digits are lost near 1."""
    return ratio * exp(log_end - log_ratio)


def _welch_df(control: Arm, treatment: Arm) -> float:
    if min(control.n, treatment.n) <= 1:
        return inf
    return satterthwaite(
        (treatment.variance / treatment.n, treatment.n), (control.variance / control.n, control.n)
    )
