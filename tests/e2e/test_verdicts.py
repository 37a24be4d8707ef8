"""How Experiments end: by harm, by proof, by alert, by hand; and what users notice of it: nothing."""

import asyncio
import time
import urllib.error
from typing import Any

import load
import pytest
from people import CORRECT, ERRORS, SAFE, Place
from town import LEADER, SYSTEM, wait


def pods(place: Place, version: str) -> set[str]:
    found = place.town.all("pods", place.namespace, f"assay.dev/version={version},assay.dev/role=predictor")
    return {p["metadata"]["uid"] for p in found if not p["metadata"].get("deletionTimestamp")}


OPERATORS = "app.kubernetes.io/component=operator"
LONG = {
    "arms": [{"name": "control", "weight": 50}, {"name": "candidate", "weight": 50}],
    "ramp": [{"percent": 50}],
    "metrics": {"guardrails": [ERRORS]},
    "decision": {"minDuration": "1h", "maxDuration": "2h"},
}


async def test_a_breach_takes_the_candidate_out_within_two_seconds_and_no_user_sees_an_error(
    place: Place,
) -> None:
    """From the exposure that breached to the last answer of the candidate."""
    await asyncio.to_thread(place.challenged, "faulty", LONG)
    control = pods(place, "churn-1")
    async with place.users() as traffic:
        status = await asyncio.to_thread(place.experiment_phase, "churn-2-g2", "RolledBack", patience=90)
        end = time.time()
        await traffic.more(200)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    tried = [a.at for a in traffic.answers if a.arm == "candidate"]
    assert [a for a in traffic.since(end + 2) if a.version != "churn-1"] == []
    assert pods(place, "churn-1") == control, "control was restarted"
    bad = [a.at for a in traffic.answers if a.arm == "candidate" and a.version == "churn-1"]
    harmful = bad[_breaching(status)]
    print(f"breach to 0%: {max(tried) - harmful:.2f} s")  # shown with -s
    assert max(tried) - harmful <= 2.0
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


async def test_a_candidate_that_refuses_everybody_is_rolled_back_and_no_user_is_refused(place: Place) -> None:
    """It answers 422 to all; the champion answers instead, and the units count against the candidate."""
    await asyncio.to_thread(place.challenged, "demanding", LONG | {"allowSchemaChange": True})
    async with place.users() as traffic:
        status = await asyncio.to_thread(place.experiment_phase, "churn-2-g2", "RolledBack", patience=90)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert set(traffic.ledger.statuses) == {200}
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert {a.version for a in traffic.answers} == {"churn-1"}
    assert [a for a in traffic.answers if a.arm == "candidate"], "nobody was sent to the candidate"
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


def test_a_candidate_that_needs_another_column_waits_until_its_owner_allows_it(place: Place) -> None:
    """Its schema says so before any user is sent to it."""
    town, namespace = place.town, place.namespace
    town.apply(place.model("plain"))
    place.champion("churn-1")
    rollout = {"strategy": "Experiment", "rollbackWindow": "20s", "experiment": LONG}
    town.apply(place.model("demanding", rollout=rollout))
    waiting = town.until("aexp", "churn-2-g2", namespace, waits("SchemaChanged"), 120)
    assert waiting["phase"] == "Pending"
    message = town.condition("aexp", "churn-2-g2", namespace, "Progressing")["message"]
    assert "loyalty (number) is new and required" in message
    town.kubectl(
        "patch",
        "aexp",
        "churn-2-g2",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        '{"spec":{"allowSchemaChange":true}}',
    )
    place.running("churn-2-g2", patience=60)


def _breaching(status: dict[str, Any]) -> int:
    """Index of the first covered failure that the verdict has counted last."""
    counted = status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["errors"][1]
    return min(int(counted), 10**6) - 1


async def test_a_better_candidate_is_promoted_and_its_pods_stay(place: Place) -> None:
    """True labels decide; nobody fails; the former champion is scaled to zero after its window."""
    place.town.apply(place.model("plain"))
    await asyncio.to_thread(place.champion, "churn-1")
    template = {
        "ramp": [{"percent": 20, "minDuration": "2s", "minUnitsPerArm": 20}, {"percent": 50}],
        "metrics": {"primary": CORRECT, "guardrails": [ERRORS]},
        "decision": {"minDuration": "5s", "maxDuration": "10m"},
    }
    rollout = {"strategy": "Experiment", "rollbackWindow": "5s", "experiment": template}
    place.town.apply(place.model("boosted", rollout=rollout))
    await asyncio.to_thread(place.running, "churn-2-g2")
    labels = {c.id: c.label for c in place.customers}
    told: set[str] = set()
    async with place.users() as traffic:
        candidate = pods(place, "churn-2")
        for _ in range(90):
            await traffic.more(50)
            await asyncio.to_thread(report, place, traffic.answers, labels, told)
            if (place.town.status("aexp", "churn-2-g2", place.namespace) or {}).get("phase") != "Running":
                break
        status = await asyncio.to_thread(place.experiment_phase, "churn-2-g2", "Promoted", patience=10)
        await asyncio.to_thread(place.champion, "churn-2", 10)
        await traffic.more(100)
        moment = time.time()
        await traffic.more(50)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert {a.version for a in traffic.since(moment)} == {"churn-2"}
    assert pods(place, "churn-2") == candidate
    assert status["decision"]["evidence"]["arms"]["candidate"]["units"] > 100
    await asyncio.to_thread(place.town.until, "amv", "churn-1", place.namespace, scaled_to_zero, 90)


def scaled_to_zero(status: dict[str, Any]) -> bool:
    return any(c["reason"] == "ScaledToZero" for c in status.get("conditions", []))


def report(place: Place, answers: list[Any], labels: dict[str, str], told: set[str]) -> None:
    """Tell the collector whether the first prediction of each enrolled unit was right."""
    news = []
    for a in answers:
        if a.enrolled and a.unit not in told and not a.failed:
            told.add(a.unit)
            right = a.body["predictions"][0]["label"] == labels[a.unit]
            news.append(
                {
                    "model": f"{place.namespace}/churn",
                    "unit": a.unit,
                    "metric": "correct",
                    "value": int(right),
                    "id": a.id,
                }
            )
    if news:
        place.collector("/v1/outcomes", "application", news)


def alert(place: Place, status: str = "firing", **labels: str) -> dict[str, Any]:
    named = {"alertname": "PredictionDrift", "namespace": place.namespace, "model": "churn"} | labels
    return {
        "status": status,
        "labels": named,
        "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": "-".join(named.values()),
    }


def test_a_drift_alert_on_the_model_holds_and_on_the_candidate_rolls_back(place: Place) -> None:
    """Alertmanager's webhook: who is named decides; a wrong token or Model is refused."""
    place.town.apply(place.experiment(*place.two_versions()))
    place.running()
    webhook = place.town.token("webhook")

    def send(*alerts: dict[str, Any], token: str = webhook) -> Any:
        return place.post(LEADER, 8081, "/v1/alerts", token, {"alerts": list(alerts)})

    def refused(*alerts: dict[str, Any], token: str = webhook) -> int:
        with pytest.raises(urllib.error.HTTPError) as error:
            send(*alerts, token=token)
        error.value.close()
        return error.value.code

    assert refused(alert(place), token="wrong") == 401
    assert refused(alert(place, model="nobody")) == 404
    send(alert(place))
    send(alert(place))
    place.town.until("aexp", "exp", place.namespace, waits("Drifting"))
    send(alert(place, status="resolved"))
    place.town.until("aexp", "exp", place.namespace, lambda s: not waits("Drifting")(s))
    send(alert(place, arm="control"), alert(place, arm="candidate"))
    place.town.until("aexp", "exp", place.namespace, waits("Drifting"))
    send(alert(place, status="resolved", arm="control"), alert(place, status="resolved", arm="candidate"))
    place.town.until("aexp", "exp", place.namespace, lambda s: not waits("Drifting")(s))
    send(alert(place, version="churn-2"))
    status = place.experiment_phase("exp", "RolledBack", patience=10)
    assert status["decision"]["reason"] == "CandidateDrifts"


def waits(reason: str) -> Any:
    return lambda s: any(
        c["type"] == "Progressing" and c["reason"] == reason for c in s.get("conditions", [])
    )


async def test_of_two_candidates_the_harmful_one_is_dropped_and_the_other_goes_on(place: Place) -> None:
    """Its units see the champion from then on; nobody fails, and nobody else changes sides."""
    good = await asyncio.to_thread(place.two_versions)
    rollout = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": LONG}
    place.town.apply(place.model("faulty", rollout=rollout))
    await asyncio.to_thread(place.experiment_phase, "churn-3-g3", "Pending", "Running", patience=90)
    place.town.kubectl("delete", "aexp", "churn-3-g3", "-n", place.namespace)
    three = place.experiment(*good, ramp=[{"percent": 60}], metrics={"primary": CORRECT, **SAFE})
    arms = (("control", "churn-1", 34), ("good", "churn-2", 33), ("bad", "churn-3", 33))
    three["spec"]["arms"] = [{"name": name, "version": version, "weight": w} for name, version, w in arms]
    place.town.apply(three)
    await asyncio.to_thread(place.running, patience=90)
    async with place.users() as traffic:
        status = await asyncio.to_thread(place.town.until, "aexp", "exp", place.namespace, drops("bad"), 90)
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
    assert await asyncio.to_thread(place.running)
    degraded = place.town.condition("aexp", "exp", place.namespace, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "ArmDropped")


def drops(arm: str) -> Any:
    return lambda s: arm in s.get("state", {}).get("dropped", [])


def test_without_traffic_it_holds_and_says_so(place: Place) -> None:
    """No data is not a failure."""
    place.town.apply(
        place.experiment(*place.two_versions(), decision={"minDuration": "1s", "maxDuration": "2h"})
    )
    place.running()
    place.town.until("aexp", "exp", place.namespace, waits("NoData"), 20)


def test_time_that_runs_out_is_inconclusive_and_control_stays(place: Place) -> None:
    """Undecided is an answer."""
    place.town.apply(
        place.experiment(*place.two_versions(), decision={"minDuration": "1s", "maxDuration": "3s"})
    )
    status = place.experiment_phase("exp", "Inconclusive", patience=30)
    assert status["decision"].get("winner") is None
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


def test_the_second_experiment_waits_for_the_first(place: Place) -> None:
    """Queued, then its turn when the first one is aborted."""
    versions = place.two_versions()
    place.town.apply(place.experiment(*versions, name="first"))
    place.running("first")
    place.town.apply(place.experiment(*versions, name="second"))
    status = place.experiment_phase("second", "Queued")
    assert any("first" in c["message"] for c in status["conditions"])
    place.town.kubectl("annotate", "aexp", "first", "-n", place.namespace, "assay.dev/abort=enough")
    status = place.experiment_phase("first", "Aborted")
    assert any(c["type"] == "Stalled" and c["status"] == "True" for c in status["conditions"])
    place.running("second")


def test_a_deleted_model_takes_everything_with_it(place: Place) -> None:
    """Nothing of it is left, and the operator does not miss it."""
    place.town.apply(place.experiment(*place.two_versions()))
    place.running()
    place.town.kubectl("delete", "amodel", "churn", "-n", place.namespace, "--timeout=30s")

    def left() -> list[str]:
        kinds = "amv,deployments,services,endpointslices,jobs,pvc,pods"
        found = place.town.all(kinds, place.namespace, "assay.dev/model=churn")
        return [f"{f['kind']} {f['metadata']['name']}" for f in found]

    wait(lambda: not left(), 90, told=left)
    assert place.experiment_phase("exp", "Aborted", "Pending")
    log = place.town.kubectl("logs", "-n", SYSTEM, "-l", OPERATORS, "--since=60s", "--tail=-1").stdout
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :]


async def test_a_replacement_that_answers_500_gives_way_by_itself(place: Place) -> None:
    """Its users are those whom it fails; the former champion never failed them."""
    keep = {"strategy": "Replace", "rollbackWindow": "10m"}
    place.town.apply(place.model("plain", rollout=keep))
    await asyncio.to_thread(place.champion, "churn-1")
    asks = [(c.id, c.row) for c in place.customers if c.row["area_code"] == "area_code_510"]
    async with load.users(place.target(), asks) as traffic:
        await traffic.more(1500)  # half a minute, which is the level
        place.town.apply(place.model("faulty", rollout=keep))
        status = await asyncio.to_thread(
            place.town.until, "amodel", "churn", place.namespace, was_undone, 120
        )
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
    said = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert said["Ready"][0] == "True"
    assert (said["Stalled"], said["Degraded"]) == (("True", "BakeBreached"),) * 2
    await asyncio.to_thread(place.town.told, "churn", place.namespace, "BakeBreached")


def was_undone(status: dict[str, Any]) -> bool:
    """Whether a new champion has given way because of its answers."""
    history = status.get("history", [])
    return bool(history) and history[0]["cause"] == "BakeBreached"
