"""Compare Assay's statistics with other engines on random data: `python hack/validate_peers [ENGINE...]`."""

import argparse
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from assay_stats.conformance import evaluate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cluster.wheels import uv

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "out" / "peers"
CASES = 60
BAR = 1e-6
KNOWN = {
    ("proportion_ci", "score"): "statsmodels' cubic has count0 where nobs0 belongs (its proportion.py, tmp1)",
}
"""Differences that are the other engine's, shown but not counted."""


class Engine(NamedTuple):
    """An engine, its packages and the families it answers."""

    packages: tuple[str, ...]
    families: tuple[str, ...]


ENGINES: Mapping[str, Engine] = {
    "statsmodels": Engine(("statsmodels==0.15.0",), ("proportion", "proportion_ci", "multiplicity", "power")),
    "tea_tasting": Engine(("tea-tasting==1.14.0",), ("welch", "relative_lift_log", "ratio_delta", "cuped")),
    "gbstats": Engine(
        ("gbstats==0.8.0", "numpy<2", "pandas<2"),
        ("welch", "relative_lift_delta", "ratio_delta", "cuped", "asymptotic_cs", "bayes_normal"),
    ),
    "ssrm": Engine(
        ("ssrm-test==0.1.5", "numpy<2", "toolz<0.11"), ("srm_sequential", "conditional_betabin_eprocess")
    ),
    "r": Engine((), ("welch", "multiplicity", "power", "rank", "exact")),
}


def arm(rng: np.random.Generator) -> dict[str, Any]:
    """Return the sums of a few thousand amounts."""
    values = rng.gamma(2.0, rng.uniform(1, 5), int(rng.integers(50, 3000)))
    return {"n": len(values), "sum": float(values.sum()), "sumsq": float((values**2).sum())}


def counts(rng: np.random.Generator) -> dict[str, Any]:
    """Return events among units."""
    n = int(rng.integers(200, 20_000))
    return {"n": n, "sum": int(rng.binomial(n, rng.uniform(0.02, 0.6)))}


def pairs(rng: np.random.Generator) -> dict[str, Any]:
    """Return the six sums of a ratio or an adjusted mean."""
    x = 1.0 + rng.poisson(rng.uniform(2, 8), int(rng.integers(100, 3000)))
    y = rng.gamma(2.0, 0.5, len(x)) * x + rng.normal(5, 1, len(x))
    names = ("n", "sum_y", "sumsq_y", "sum_x", "sumsq_x", "sum_xy")
    return dict(zip(names, (len(x), *map(float, (y.sum(), y @ y, x.sum(), x @ x, x @ y))), strict=True))


def _two(
    draw: Callable[[np.random.Generator], dict[str, Any]],
) -> Callable[[np.random.Generator], dict[str, Any]]:
    return lambda rng: {"control": draw(rng), "treatment": draw(rng), "alpha": 0.05}


def _p_values(rng: np.random.Generator) -> dict[str, Any]:
    return {"p": rng.beta(0.4, 1.0, int(rng.integers(2, 15))).tolist()}


def _power(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "effect_size": rng.uniform(0.1, 0.8),
        "power": rng.uniform(0.6, 0.95),
        "alpha": 0.05,
        "ratio": 1.0,
    }


def _split(rng: np.random.Generator) -> dict[str, Any]:
    weights = rng.dirichlet([5, 5, 5])
    total = rng.multinomial(int(rng.integers(100, 20_000)), rng.dirichlet(400 * weights))
    return {"counts_cumulative": total.tolist(), "weights": weights.tolist(), "concentration": 10_000}


def _events(rng: np.random.Generator) -> dict[str, Any]:
    share = rng.uniform(0.05, 0.95)
    treatment = int(rng.binomial(400, share))
    return {
        "events_treatment": treatment,
        "events_control": int(rng.integers(0, 600)),
        "traffic_share_treatment": share,
        "concentration": 100,
    }


def _groups(rng: np.random.Generator) -> dict[str, Any]:
    return {"group1": rng.integers(0, 30, 40).tolist(), "group2": rng.integers(3, 33, 55).tolist()}


DRAWS: Mapping[str, Callable[[np.random.Generator], dict[str, Any]]] = {
    "welch": _two(arm),
    "relative_lift_delta": _two(arm),
    "relative_lift_log": _two(arm),
    "proportion": _two(counts),
    "proportion_ci": _two(counts),
    "ratio_delta": _two(pairs),
    "cuped": _two(pairs),
    "asymptotic_cs": lambda rng: _two(arm)(rng) | {"N_star": int(rng.integers(500, 20_000))},
    "bayes_normal": lambda rng: _two(arm)(rng) | {"difference": "relative", "prior": None},
    "multiplicity": _p_values,
    "power": _power,
    "srm_sequential": _split,
    "conditional_betabin_eprocess": _events,
    "rank": _groups,
    "exact": lambda rng: {"table": rng.integers(1, 60, (2, 2)).tolist(), "alternative": "two-sided"},
}


def command(name: str, engine: Engine) -> list[str] | None:
    """Return how to call an engine, making its environment on the first time; None if it cannot be had."""
    if name == "r":
        script = shutil.which("Rscript")
        return [script, str(HERE / "engines" / "r.R")] if script else None
    home = ENVIRONMENTS / name
    python = home / "bin" / "python"
    if not (home / "made").exists():
        subprocess.run([str(uv()), "venv", "-q", "--clear", "--python", "3.11", str(home)], check=True)
        subprocess.run(
            [str(uv()), "pip", "install", "-q", "--python", str(python), *engine.packages], check=True
        )
        (home / "made").touch()
    return [str(python), str(HERE / "engines" / f"with_{name}.py")]


def compared(name: str, engine: Engine, call: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Yield (family, answer, relative difference) for every number that both give."""
    rng = np.random.default_rng(20261122)
    cases: list[dict[str, Any]] = [
        {"family": family, "input": DRAWS[family](rng)} for family in engine.families for _ in range(CASES)
    ]
    done = subprocess.run(list(call), input=json.dumps(cases), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    for case, theirs in zip(cases, json.loads(done.stdout), strict=True):
        ours = evaluate(case["family"], case["input"], theirs)
        for key in theirs:
            yield case["family"], key, largest(ours.get(key), theirs[key])


def largest(ours: Any, theirs: Any) -> float:
    """Return the largest relative difference within an answer; infinite where one has no counterpart."""
    if isinstance(theirs, dict):
        return max(largest(ours.get(key) if isinstance(ours, dict) else None, v) for key, v in theirs.items())
    if isinstance(theirs, list):
        if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
            return float("inf")
        return max(largest(a, b) for a, b in zip(ours, theirs, strict=True))
    if not isinstance(ours, int | float) or not isfinite(ours):
        return float("inf")
    return float(abs(ours - theirs) / max(abs(theirs), 1e-9))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a difference is beyond the bar and not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="*", default=list(ENGINES), metavar="ENGINE")
    broken = 0
    print("| engine | family | answer | largest relative difference | |\n|---|---|---|---|---|")
    for name in parser.parse_args(arguments).engines:
        call = command(name, ENGINES[name])
        if call is None:
            print(f"| {name} | | | not installed here | |")
            continue
        found: dict[tuple[str, str], float] = defaultdict(float)
        for family, key, difference in compared(name, ENGINES[name], call):
            found[family, key] = max(found[family, key], difference)
        for (family, key), difference in found.items():
            note = KNOWN.get((family, key), "") if difference > BAR else ""
            broken += difference > BAR and not note
            print(f"| {name} | {family} | {key} | {difference:.1e} | {note} |")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
