"""What is sent of a Model is the same bytes in every process, so that a new leader changes nothing."""

import subprocess
import sys

SCRIPT = """
from assay_assign import Interval
from assay_operator.gateway import ArmRoute, Backend, Endpoint, ModelRoute, Split
from assay_operator.xds.resource_bundle import resource_bundle

arms = (ArmRoute("control", Backend("m-1")), ArmRoute("candidate", Backend("m-2")))
table = (Interval("control", 0, 500), Interval("candidate", 5000, 5500))
split = Split("uid-1", 3, "x-user-id", arms, table, salt="layer")
champion = Backend("m-1", (Endpoint("10.0.0.1", 3000),), Endpoint("10.96.0.1", 80))
print(resource_bundle(ModelRoute("ns", "m", champion, split)).version)
"""


def test_every_process_packs_a_route_into_the_same_bytes() -> None:
    versions = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(4)
    }
    assert len(versions) == 1
