"""ssrm-test's answers, in its own environment."""

import json
import sys
from math import log

from ssrm_test.ssrm_test import sequential_bayes_factors


def srm_sequential(given):
    data = [given["counts_cumulative"]]
    factor = sequential_bayes_factors(data, given["weights"], dirichlet_concentration=given["concentration"])[
        -1
    ]
    return {"bf": float(factor)}


def conditional_betabin_eprocess(given):
    share = given["traffic_share_treatment"]
    data = [[given["events_control"], given["events_treatment"]]]
    factor = sequential_bayes_factors(
        data, [1 - share, share], dirichlet_concentration=given["concentration"]
    )[-1]
    return {"log_e_two_sided": log(factor)}


print(json.dumps([globals()[case["family"]](case["input"]) for case in json.load(sys.stdin)]))
