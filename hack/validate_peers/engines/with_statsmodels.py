"""statsmodels' answers, in its own environment."""

import json
import sys
import warnings
from contextlib import suppress

from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

warnings.simplefilter("ignore")


def proportion(given):
    c, t = given["control"], given["treatment"]
    z, p = proportions_ztest([t["sum"], c["sum"]], [t["n"], c["n"]])
    return {"z": z, "p": p}


def proportion_ci(given):
    c, t = given["control"], given["treatment"]
    names = {"newcombe": "newcomb", "agresti_caffo": "agresti-caffo", "wald": "wald", "score": "score"}
    counts = (t["sum"], t["n"], c["sum"], c["n"])
    found = {}
    for name, word in names.items():
        with suppress(ValueError):  # its score interval has no solution for rates that differ much
            found[name] = list(confint_proportions_2indep(*counts, method=word, compare="diff"))
    return found


def multiplicity(given):
    names = {"holm": "holm", "bh": "fdr_bh", "by": "fdr_by", "hommel": "hommel", "bonferroni": "bonferroni"}
    return {name: multipletests(given["p"], method=word)[1].tolist() for name, word in names.items()}


def power(given):
    arguments = dict(
        effect_size=given["effect_size"], power=given["power"], alpha=given["alpha"], ratio=given["ratio"]
    )
    larger = {**arguments, "alpha": given["alpha"] / 2, "alternative": "larger"}
    return {"n_t": TTestIndPower().solve_power(**larger), "n_z": NormalIndPower().solve_power(**larger)}


print(json.dumps([globals()[case["family"]](case["input"]) for case in json.load(sys.stdin)]))
