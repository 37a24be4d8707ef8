"""Who may do what on the cluster: tokens by role, changed under way; Secrets that the operator may read."""

import asyncio
import base64
import secrets
import urllib.error
from typing import Any

import pytest
from outside import WAREHOUSE_SECRET
from people import Place
from town import SYSTEM, Town, wait

ROLES = ("application", "operator", "gateway", "webhook")
OPERATOR = f"system:serviceaccount:{SYSTEM}:assay-operator"
KUBELET_SYNCS = 180.0  # seconds; about one minute is usual


def pods(town: Town) -> list[tuple[str, str, int]]:
    """Return every container of the installation, by its pod, and how often it was started again."""
    return sorted(
        (pod["metadata"]["uid"], status["name"], status["restartCount"])
        for pod in town.all("pods", SYSTEM)
        if not pod["metadata"].get("deletionTimestamp")
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in pod["status"].get(kind, [])
    )


def status(place: Place, token: str, *request: Any) -> int:
    """Return what a Service of the installation answers to a token."""
    try:
        place.post(*request[:3], token, *request[3:])
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    return 200


def rotate(town: Town) -> dict[str, str]:
    """Give every role another token, and return them."""
    fresh = {role: secrets.token_urlsafe(36) for role in ROLES}
    data = {role: base64.b64encode(token.encode()).decode() for role, token in fresh.items()}
    metadata = {"name": "assay-tokens", "namespace": SYSTEM}
    town.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    return fresh


async def test_tokens_change_without_a_restart_and_no_exposure_is_lost(place: Place) -> None:
    """Old ones are refused once the kubelet has brought the new ones; counting and deciding go on."""
    place.town.apply(place.experiment(*await asyncio.to_thread(place.two_versions)))
    await asyncio.to_thread(place.running)
    town, uid = place.town, place.uid()
    outcome = [{"model": f"{place.namespace}/churn", "unit": "u", "metric": "none", "value": 1, "id": "o"}]
    doors: dict[str, tuple[Any, ...]] = {
        "application": ("assay-collector", 8080, "/v1/outcomes", outcome),
        "operator": ("assay-collector", 8080, f"/v1/experiments/{uid}/summary"),
        "gateway": ("assay-collector", 8080, "/v1/exposures", []),
        "webhook": ("assay-operator", 8081, "/v1/alerts", {"alerts": []}),
    }
    old, before = {role: town.token(role) for role in ROLES}, pods(town)
    assert {role: status(place, old[role], *door) for role, door in doors.items()} == dict.fromkeys(
        ROLES, 200
    )
    for role, door in doors.items():
        wrong = {other: status(place, old[other], *door) for other in ROLES if other != role}
        assert set(wrong.values()) <= {401, 403}, (role, wrong)
    async with place.users() as traffic:
        new = await asyncio.to_thread(rotate, town)
        for role, door in doors.items():
            accepted = lambda r=role, d=door: (status(place, old[r], *d), status(place, new[r], *d))  # noqa: E731
            await asyncio.to_thread(wait, lambda: accepted() == (401, 200), KUBELET_SYNCS, told=accepted)  # noqa: B023
        await traffic.more(200)
    units = {answer.unit for answer in traffic.answers if answer.enrolled}

    def counted() -> int:
        summary = place.post(*doors["operator"][:3], new["operator"])
        return sum(arm["units"] for arm in summary["arms"].values())

    await asyncio.to_thread(
        wait, lambda: counted() == len(units), KUBELET_SYNCS, told=lambda: (counted(), len(units))
    )
    asks = lambda s: sum(arm["units"] for arm in s.get("arms", [])) == len(units)  # noqa: E731
    await asyncio.to_thread(town.until, "aexp", "exp", place.namespace, asks, KUBELET_SYNCS)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert pods(town) == before


@pytest.mark.parametrize(
    ("what", "namespace", "answer"),
    [
        pytest.param(("get", f"secret/{WAREHOUSE_SECRET}"), "default", "yes", id="a database that was named"),
        pytest.param(("get", "secret/payroll"), "default", "no", id="another Secret"),
        pytest.param(("list", "secrets"), "default", "no", id="all Secrets"),
        pytest.param(("get", "secret/assay-tokens"), SYSTEM, "no", id="the installation's tokens"),
        pytest.param(("get", "secret/assay-predictor"), "default", "no", id="what it writes itself"),
        pytest.param(("patch", "secret/assay-predictor"), "default", "yes", id="the predictors' token"),
        pytest.param(("delete", f"secret/{WAREHOUSE_SECRET}"), "default", "no", id="to take one away"),
        pytest.param(("create", "pods/exec"), SYSTEM, "no", id="a shell in a pod"),
    ],
)
def test_the_operator_may_read_the_secrets_that_it_needs(
    town: Town, what: tuple[str, str], namespace: str, answer: str
) -> None:
    done = town.kubectl("auth", "can-i", *what, "-n", namespace, "--as", OPERATOR, check=False)
    assert done.stdout.strip() == answer, done.stderr
