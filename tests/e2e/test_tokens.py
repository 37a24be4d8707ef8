"""Who may do what on the cluster: tokens by role, changed under way; Secrets that the operator may read."""

import asyncio
import os
import re
import shlex
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from cluster_fixture import LEADER, SYSTEM, ClusterFixture, wait
from namespace_fixture import NamespaceFixture
from outside import WAREHOUSE_SECRET

ROLES = ("application", "operator", "gateway", "webhook")
COLLECTOR = ("statefulset/assay-collector", "collector")
OPERATOR_POD = ("deployment/assay-operator", "operator")
READERS = {
    "application": [COLLECTOR],
    "operator": [COLLECTOR, OPERATOR_POD],
    "gateway": [COLLECTOR, ("deployment/assay-gateway", "shipper")],
    "webhook": [OPERATOR_POD],
}
OPERATOR = f"system:serviceaccount:{SYSTEM}:assay-operator"
KUBELET_SYNCS = 180.0  # seconds; about one minute is usual


def pods(cluster: ClusterFixture) -> list[tuple[str, str, int]]:
    """Return every container of the installation, by its pod, and how often it was started again."""
    return sorted(
        (pod["metadata"]["uid"], status["name"], status["restartCount"])
        for pod in cluster.all("pods", SYSTEM)
        if not pod["metadata"].get("deletionTimestamp")
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in pod["status"].get(kind, [])
    )


def status(ns: NamespaceFixture, token: str, *request: Any) -> int:
    """Return what a Service of the installation answers to a token."""
    try:
        service, port, path, *body = request
        ns.post(service, port, path, token, *body)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


class Rotation:
    """The commands of docs/operations.md that change a token, for every role."""

    def __init__(self, cluster: ClusterFixture) -> None:
        """Read them, and let them choose the new tokens."""
        page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
        tell, tokens, *steps = re.findall(r"^```sh\n(tell\(\).*?)^```", page, re.M | re.S)[0].splitlines()
        self._cluster, self._tell, self._steps = cluster, tell, steps
        self._tokens = {role: self._bash(f"{tokens}; echo $old $new", role).split() for role in ROLES}

    @property
    def new(self) -> dict[str, str]:
        """The new token of each role."""
        return {role: new for role, (_, new) in self._tokens.items()}

    def step(self, number: int) -> None:
        """Take a step for every role, and wait until all who read the files have it."""
        for role, (old, new) in self._tokens.items():
            self._bash(
                f"old={shlex.quote(old)} new={shlex.quote(new)}; {self._tell}; {self._steps[number]}", role
            )
        expected = {role: self._expected(role, number) for role in ROLES}
        wait(
            lambda: all(
                self._mounted(*reader, role) == expected[role]
                for role, readers in READERS.items()
                for reader in readers
            ),
            KUBELET_SYNCS,
            state=lambda: number,
        )

    def _expected(self, role: str, number: int) -> str:
        old, new = self._tokens[role]
        return (f"{old}\n{new}", f"{new}\n{old}", new)[number]

    def _mounted(self, workload: str, container: str, role: str) -> str:
        command = ("exec", "-n", SYSTEM, workload, "-c", container, "--", "cat", f"/etc/assay/tokens/{role}")
        return self._cluster.kubectl(*command).stdout

    def _bash(self, script: str, role: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self._cluster.settings.kubeconfig)}
        command = ["bash", "-euc", script.replace("application", role)]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def refusals(cluster: ClusterFixture) -> float:
    """Return how many calls the collector has answered 401."""
    lines = cluster.metrics("collector", 8080)
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("assay_requests_refused_total{") and 'status="401"' in line
    )


async def test_tokens_change_as_documented_without_a_restart_or_a_refused_call(ns: NamespaceFixture) -> None:
    """Old ones are refused at the end, and nobody is before; counting and deciding go on."""
    ns.cluster.apply(ns.experiment(*await asyncio.to_thread(ns.two_versions)))
    await asyncio.to_thread(ns.running)
    cluster, uid = ns.cluster, ns.uid()
    outcome = [{"model": f"{ns.name}/churn", "unit": "u", "metric": "none", "value": 1, "id": "o"}]
    doors: dict[str, tuple[Any, ...]] = {
        "application": ("assay-collector", 8080, "/v1/outcomes", outcome),
        "operator": ("assay-collector", 8080, f"/v1/experiments/{uid}/summary"),
        "gateway": ("assay-collector", 8080, "/v1/exposures", []),
        "webhook": (LEADER, 8081, "/v1/alerts", {"alerts": []}),
    }
    old, before = {role: cluster.token(role) for role in ROLES}, pods(cluster)
    assert {role: status(ns, old[role], *door) for role, door in doors.items()} == dict.fromkeys(ROLES, 200)
    for role, door in doors.items():
        wrong = {other: status(ns, old[other], *door) for other in ROLES if other != role}
        assert set(wrong.values()) <= {401, 403}, (role, wrong)
    async with ns.users() as traffic:
        rotation, refused = await asyncio.to_thread(Rotation, cluster), refusals(cluster)
        new = rotation.new
        for number in (0, 1, 2):
            await asyncio.to_thread(rotation.step, number)
            await traffic.more(200)
            assert refusals(cluster) == refused, f"somebody was refused after step {number}"
            good = {role: (status(ns, old[role], *d), status(ns, new[role], *d)) for role, d in doors.items()}
            assert set(good.values()) == {(401, 200) if number == 2 else (200, 200)}, good
    units = {answer.unit for answer in traffic.answers if answer.enrolled}

    def counted() -> int:
        service, port, path, *_ = doors["operator"]
        summary = ns.post(service, port, path, new["operator"])
        return sum(arm["units"] for arm in summary["arms"].values())

    await asyncio.to_thread(
        wait, lambda: counted() == len(units), KUBELET_SYNCS, state=lambda: (counted(), len(units))
    )
    asks = lambda s: sum(arm["units"] for arm in s.get("arms", [])) == len(units)  # noqa: E731
    await asyncio.to_thread(cluster.until, "aexp", "exp", ns.name, asks, KUBELET_SYNCS)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert pods(cluster) == before


@pytest.mark.parametrize(
    ("what", "namespace", "answer"),
    [
        pytest.param(("get", f"secret/{WAREHOUSE_SECRET}"), "default", "yes", id="a database that was named"),
        pytest.param(("get", "secret/payroll"), "default", "no", id="another Secret"),
        pytest.param(("list", "secrets"), "default", "no", id="all Secrets"),
        pytest.param(("get", "secret/assay-tokens"), SYSTEM, "no", id="the installation's tokens"),
        pytest.param(
            ("get", "secret/assay-predictor"),
            "default",
            "yes",
            id="what it writes itself, to see whose it is",
        ),
        pytest.param(("patch", "secret/assay-predictor"), "default", "yes", id="the predictors' token"),
        pytest.param(("delete", f"secret/{WAREHOUSE_SECRET}"), "default", "no", id="to take one away"),
        pytest.param(("create", "pods/exec"), SYSTEM, "no", id="a shell in a pod"),
    ],
)
def test_the_operator_may_read_the_secrets_that_it_needs(
    cluster: ClusterFixture, what: tuple[str, str], namespace: str, answer: str
) -> None:
    done = cluster.kubectl("auth", "can-i", *what, "-n", namespace, "--as", OPERATOR, check=False)
    assert done.stdout.strip() == answer, done.stderr
