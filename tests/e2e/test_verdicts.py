"""How Experiments end: by harm, by proof, by alert, by hand; and what users notice of it: nothing."""

import asyncio
import time
import urllib.error
from typing import Any

import load
import pytest
from cluster_fixture import LEADER, SYSTEM, wait
from namespace_fixture import CORRECT, ERRORS, SAFE, NamespaceFixture


def pods(ns: NamespaceFixture, version: str) -> set[str]:
    found = ns.cluster.all("pods", ns.name, f"assay.dev/version={version},assay.dev/role=predictor")
    return {p["metadata"]["uid"] for p in found if not p["metadata"].get("deletionTimestamp")}


OPERATORS = "app.kubernetes.io/component=operator"
LONG = {
    "arms": [{"name": "control", "weight": 50}, {"name": "candidate", "weight": 50}],
    "ramp": [{"percent": 50}],
    "metrics": {"guardrails": [ERRORS]},
    "decision": {"minDuration": "1h", "maxDuration": "2h"},
}


async def test_a_breach_takes_the_candidate_out_within_two_seconds_and_no_user_sees_an_error(
    ns: NamespaceFixture,
) -> None:
    """From the exposure that breached to the last answer of the candidate."""
    await asyncio.to_thread(ns.challenged, "faulty", LONG)
    control = pods(ns, "churn-1")
    async with ns.users() as traffic:
        status = await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "RolledBack", patience=90)
        end = time.time()
        await traffic.more(200)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    tried = [a.at for a in traffic.answers if a.arm == "candidate"]
    assert [a for a in traffic.since(end + 2) if a.version != "churn-1"] == []
    assert pods(ns, "churn-1") == control, "control was restarted"
    bad = [a.at for a in traffic.answers if a.arm == "candidate" and a.version == "churn-1"]
    harmful = bad[_breaching(status)]
    print(f"breach to 0%: {max(tried) - harmful:.2f} s")  # shown with -s
    assert max(tried) - harmful <= 2.0
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


async def test_a_candidate_that_refuses_everybody_is_rolled_back_and_no_user_is_refused(
    ns: NamespaceFixture,
) -> None:
    """It answers 422 to all; the champion answers instead, and the units count against the candidate."""
    await asyncio.to_thread(ns.challenged, "demanding", LONG | {"allowSchemaChange": True})
    async with ns.users() as traffic:
        status = await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "RolledBack", patience=90)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert set(traffic.ledger.statuses) == {200}
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert {a.version for a in traffic.answers} == {"churn-1"}
    assert [a for a in traffic.answers if a.arm == "candidate"], "nobody was sent to the candidate"
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


def test_a_candidate_that_needs_another_column_waits_until_its_owner_allows_it(ns: NamespaceFixture) -> None:
    """Its schema says so before any user is sent to it."""
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    rollout = {"strategy": "Experiment", "rollbackWindow": "20s", "experiment": LONG}
    cluster.apply(ns.model("demanding", rollout=rollout))
    waiting = cluster.until("aexp", "churn-2-g2", namespace, waits("SchemaChanged"), 120)
    assert waiting["phase"] == "Pending"
    message = cluster.condition("aexp", "churn-2-g2", namespace, "Progressing")["message"]
    assert "loyalty (number) is new and required" in message
    cluster.kubectl(
        "patch",
        "aexp",
        "churn-2-g2",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"spec":{"allowSchemaChange":true}}',
    )
    ns.running("churn-2-g2", patience=60)


def _breaching(status: dict[str, Any]) -> int:
    """Index of the first covered failure that the verdict has counted last."""
    counted = status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["errors"][1]
    return min(int(counted), 10**6) - 1


async def test_a_better_candidate_is_promoted_and_its_pods_stay(ns: NamespaceFixture) -> None:
    """True labels decide; nobody fails; the former champion is scaled to zero after its window."""
    ns.cluster.apply(ns.model("plain"))
    await asyncio.to_thread(ns.champion, "churn-1")
    template = {
        "ramp": [{"percent": 20, "minDuration": "2s", "minUnitsPerArm": 20}, {"percent": 50}],
        "metrics": {"primary": CORRECT, "guardrails": [ERRORS]},
        "decision": {"minDuration": "5s", "maxDuration": "10m"},
    }
    rollout = {"strategy": "Experiment", "rollbackWindow": "5s", "experiment": template}
    ns.cluster.apply(ns.model("boosted", rollout=rollout))
    await asyncio.to_thread(ns.running, "churn-2-g2")
    labels = {c.id: c.label for c in ns.customers}
    reported: set[str] = set()
    async with ns.users() as traffic:
        candidate = pods(ns, "churn-2")
        for _ in range(90):
            await traffic.more(50)
            await asyncio.to_thread(report, ns, traffic.answers, labels, reported)
            if (ns.cluster.status("aexp", "churn-2-g2", ns.name) or {}).get("phase") != "Running":
                break
        status = await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "Promoted", patience=10)
        await asyncio.to_thread(ns.champion, "churn-2", 10)
        await traffic.more(100)
        moment = time.time()
        await traffic.more(50)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert {a.version for a in traffic.since(moment)} == {"churn-2"}
    assert pods(ns, "churn-2") == candidate
    assert status["decision"]["evidence"]["arms"]["candidate"]["units"] > 100
    await asyncio.to_thread(ns.cluster.until, "amv", "churn-1", ns.name, scaled_to_zero, 90)


def scaled_to_zero(status: dict[str, Any]) -> bool:
    return any(c["reason"] == "ScaledToZero" for c in status.get("conditions", []))


def report(ns: NamespaceFixture, answers: list[Any], labels: dict[str, str], reported: set[str]) -> None:
    """Tell the collector whether the first prediction of each enrolled unit was right."""
    news = []
    for a in answers:
        if a.enrolled and a.unit not in reported and not a.failed:
            reported.add(a.unit)
            right = a.body["predictions"][0]["label"] == labels[a.unit]
            news.append(
                {
                    "model": f"{ns.name}/churn",
                    "unit": a.unit,
                    "metric": "correct",
                    "value": int(right),
                    "id": a.id,
                }
            )
    if news:
        ns.collector("/v1/outcomes", "application", news)


def alert(ns: NamespaceFixture, status: str = "firing", **labels: str) -> dict[str, Any]:
    named = {"alertname": "PredictionDrift", "namespace": ns.name, "model": "churn"} | labels
    return {
        "status": status,
        "labels": named,
        "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": "-".join(named.values()),
    }


def test_a_drift_alert_on_the_model_holds_and_on_the_candidate_rolls_back(ns: NamespaceFixture) -> None:
    """Alertmanager's webhook: who is named decides; a wrong token or Model is refused."""
    ns.cluster.apply(ns.experiment(*ns.two_versions()))
    ns.running()
    webhook = ns.cluster.token("webhook")

    def send(*alerts: dict[str, Any], token: str = webhook) -> Any:
        return ns.post(LEADER, 8081, "/v1/alerts", token, {"alerts": list(alerts)})

    def refused(*alerts: dict[str, Any], token: str = webhook) -> int:
        with pytest.raises(urllib.error.HTTPError) as error:
            send(*alerts, token=token)
        error.value.close()
        return error.value.code

    assert refused(alert(ns), token="wrong") == 401
    assert refused(alert(ns, model="nobody")) == 404
    send(alert(ns))
    send(alert(ns))
    ns.cluster.until("aexp", "exp", ns.name, waits("Drifting"))
    send(alert(ns, status="resolved"))
    ns.cluster.until("aexp", "exp", ns.name, lambda s: not waits("Drifting")(s))
    send(alert(ns, arm="control"), alert(ns, arm="candidate"))
    ns.cluster.until("aexp", "exp", ns.name, waits("Drifting"))
    send(alert(ns, status="resolved", arm="control"), alert(ns, status="resolved", arm="candidate"))
    ns.cluster.until("aexp", "exp", ns.name, lambda s: not waits("Drifting")(s))
    send(alert(ns, version="churn-2"))
    status = ns.experiment_phase("exp", "RolledBack", patience=10)
    assert status["decision"]["reason"] == "CandidateDrifts"


def waits(reason: str) -> Any:
    return lambda s: any(
        c["type"] == "Progressing" and c["reason"] == reason for c in s.get("conditions", [])
    )


async def test_of_two_candidates_the_harmful_one_is_dropped_and_the_other_goes_on(
    ns: NamespaceFixture,
) -> None:
    """Its units see the champion from then on; nobody fails, and nobody else changes sides."""
    good = await asyncio.to_thread(ns.two_versions)
    rollout = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": LONG}
    ns.cluster.apply(ns.model("faulty", rollout=rollout))
    await asyncio.to_thread(ns.experiment_phase, "churn-3-g3", "Pending", "Running", patience=90)
    ns.cluster.kubectl("delete", "aexp", "churn-3-g3", "-n", ns.name)
    three = ns.experiment(*good, ramp=[{"percent": 60}], metrics={"primary": CORRECT, **SAFE})
    arms = (("control", "churn-1", 34), ("good", "churn-2", 33), ("bad", "churn-3", 33))
    three["spec"]["arms"] = [{"name": name, "version": version, "weight": w} for name, version, w in arms]
    ns.cluster.apply(three)
    await asyncio.to_thread(ns.running, patience=90)
    async with ns.users() as traffic:
        status = await asyncio.to_thread(ns.cluster.until, "aexp", "exp", ns.name, drops("bad"), 90)
        end = time.time()
        await traffic.more(300)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert "decision" not in status
    shares = {arm["name"]: arm.get("share", 0) for arm in status["arms"]}
    assert shares["bad"] == 0
    assert shares["good"] == pytest.approx(30, abs=0.1)
    later = traffic.since(end + 2)
    assert {a.version for a in later} == {"churn-1", "churn-2"}
    assert "bad" not in {a.arm for a in later}
    assert await asyncio.to_thread(ns.running)
    degraded = ns.cluster.condition("aexp", "exp", ns.name, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "ArmDropped")


def drops(arm: str) -> Any:
    return lambda s: arm in s.get("state", {}).get("dropped", [])


def test_without_traffic_it_holds_and_says_so(ns: NamespaceFixture) -> None:
    """No data is not a failure."""
    ns.cluster.apply(ns.experiment(*ns.two_versions(), decision={"minDuration": "1s", "maxDuration": "2h"}))
    ns.running()
    ns.cluster.until("aexp", "exp", ns.name, waits("NoData"), 20)


def test_time_that_runs_out_is_inconclusive_and_control_stays(ns: NamespaceFixture) -> None:
    """Undecided is an answer."""
    ns.cluster.apply(ns.experiment(*ns.two_versions(), decision={"minDuration": "1s", "maxDuration": "3s"}))
    status = ns.experiment_phase("exp", "Inconclusive", patience=30)
    assert status["decision"].get("winner") is None
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


def test_the_second_experiment_waits_for_the_first(ns: NamespaceFixture) -> None:
    """Queued, then its turn when the first one is aborted."""
    versions = ns.two_versions()
    ns.cluster.apply(ns.experiment(*versions, name="first"))
    ns.running("first")
    ns.cluster.apply(ns.experiment(*versions, name="second"))
    status = ns.experiment_phase("second", "Queued")
    assert any("first" in c["message"] for c in status["conditions"])
    ns.cluster.kubectl("annotate", "aexp", "first", "-n", ns.name, "assay.dev/abort=enough")
    status = ns.experiment_phase("first", "Aborted")
    assert any(c["type"] == "Stalled" and c["status"] == "True" for c in status["conditions"])
    ns.running("second")


def test_a_deleted_model_takes_everything_with_it(ns: NamespaceFixture) -> None:
    """Nothing of it is left, and the operator does not miss it."""
    ns.cluster.apply(ns.experiment(*ns.two_versions()))
    ns.running()
    ns.cluster.kubectl("delete", "amodel", "churn", "-n", ns.name, "--timeout=30s")

    def left() -> list[str]:
        kinds = "amv,deployments,services,endpointslices,jobs,pvc,pods"
        found = ns.cluster.all(kinds, ns.name, "assay.dev/model=churn")
        return [f"{f['kind']} {f['metadata']['name']}" for f in found]

    wait(lambda: not left(), 90, state=left)
    assert ns.experiment_phase("exp", "Aborted", "Pending")
    log = ns.cluster.kubectl("logs", "-n", SYSTEM, "-l", OPERATORS, "--since=60s", "--tail=-1").stdout
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :]


async def test_a_replacement_that_answers_500_gives_way_by_itself(ns: NamespaceFixture) -> None:
    """Its users are those whom it fails; the former champion never failed them."""
    keep = {"strategy": "Replace", "rollbackWindow": "10m"}
    ns.cluster.apply(ns.model("plain", rollout=keep))
    await asyncio.to_thread(ns.champion, "churn-1")
    asks = [(c.id, c.row) for c in ns.customers if c.row["area_code"] == "area_code_510"]
    async with load.users(ns.target(), asks) as traffic:
        await traffic.more(1500)  # half a minute, which is the level
        ns.cluster.apply(ns.model("faulty", rollout=keep))
        status = await asyncio.to_thread(ns.cluster.until, "amodel", "churn", ns.name, was_undone, 120)
        back = time.time()
        await traffic.more(250)
    failed = [a.at for a in traffic.answers if a.failed]
    print(f"answered 500 for {max(failed) - min(failed):.2f} s")  # shown with -s
    assert max(failed) - min(failed) <= 3 + 2 + 2, "three seconds show it, two bring users back; and slack"
    assert [a for a in traffic.since(back + 2) if a.failed or a.version != "churn-1"] == []
    assert [(one["version"], one["cause"]) for one in status["history"][:2]] == [
        ("churn-1", "BakeBreached"),
        ("churn-2", "Replace"),
    ]
    assert "guardrail errors breached: churn-2 - churn-1 = +" in status["history"][0]["reason"]
    conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert conditions["Ready"][0] == "True"
    assert (conditions["Stalled"], conditions["Degraded"]) == (("True", "BakeBreached"),) * 2
    await asyncio.to_thread(ns.cluster.expect_event, "churn", ns.name, "BakeBreached")


def was_undone(status: dict[str, Any]) -> bool:
    """Whether a new champion has given way because of its answers."""
    history = status.get("history", [])
    return bool(history) and history[0]["cause"] == "BakeBreached"
