"""How fast the statistics are, in CPU time: `python benchmarks/stats_speed.py`.

Bars: a verdict's numbers for 3 arms x 5 metrics <= 1 ms; import <= 0.5 s; 2,000 runs x 100 looks x 1,000
units simulated in <= 20 s on 2 cores. A busy machine stretches the wall clock; CPU time and the plain loop
printed beside it tell by how much.
"""

import statistics
import subprocess
import sys
import time

from assay_stats import Moments, evaluate, guardrail_rule, harm, non_inferiority, primary_rule, srm
from assay_stats.simulation import Bernoulli, Design, LogNormal, simulate

RATE = primary_rule("Proportion", alpha=0.05, planned_units=20_000, base_rate=0.05)
AMOUNT = primary_rule("Mean", alpha=0.05, planned_units=20_000)
ERRORS = guardrail_rule("Proportion", alpha=0.05, guardrails=4, absolute=0.01)
SLOW = guardrail_rule("Proportion", alpha=0.05, guardrails=4, relative=0.1)


def verdict() -> None:
    """Two candidates against control: a rare primary, two guardrails, two amounts, and the split."""
    for _ in range(2):
        evaluate(RATE, Moments(10_000, 500), Moments(10_000, 560), 0.5)
        for _ in range(2):
            evaluate(AMOUNT, Moments(10_000, 105_000, 1_502_500), Moments(10_100, 107_564, 1_563_000), 0.5)
        for rule in (ERRORS, SLOW):
            harm(rule, Moments(9500, 30), Moments(500, 4), 0.05)
            non_inferiority(rule, Moments(9500, 30), Moments(500, 4), 0.05)
    srm({"control": 9500, "a": 480, "b": 520}, {"control": 95, "a": 2.5, "b": 2.5})


def milliseconds(repeats: int = 400) -> float:
    """Return the median CPU time of a verdict."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        verdict()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


def import_seconds() -> float:
    """Return the CPU time that `import assay_stats` adds to a bare interpreter's."""
    return min(_cpu("import assay_stats") for _ in range(5)) - min(_cpu("pass") for _ in range(5))


def _cpu(code: str) -> float:
    script = f"import time; {code}; print(time.process_time())"
    return float(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    )


def simulated(design: Design) -> tuple[float, float]:
    """Return wall seconds and the type-I error of 2,000 runs on 2 cores."""
    start = time.perf_counter()
    found = simulate(design, runs=2000, cores=2)
    return time.perf_counter() - start, found.decided.value


if __name__ == "__main__":
    loop = time.process_time()
    sum(range(10_000_000))
    print(f"plain loop of 10 million: {time.process_time() - loop:.2f} s CPU (0.1 to 0.2 on an idle machine)")
    print(f"verdict, 3 arms x 5 metrics: {milliseconds():.2f} ms CPU (median)")
    print(f"import: {import_seconds():.2f} s CPU")
    for world, rule in ((Bernoulli(0.05), RATE), (LogNormal(), AMOUNT)):
        seconds, error = simulated(Design(world, rule, (1000,) * 100))
        kind = type(world).__name__
        print(f"2,000 runs x 100 looks x 1,000 units, {kind}: {seconds:.1f} s, type-I {error:.4f}")
