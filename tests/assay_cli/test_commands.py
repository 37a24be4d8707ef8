"""Commands on one Experiment, against an API server over HTTP, and commands that need none."""

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_api import ExperimentSpec
from assay_api.names import ABORT, ACKNOWLEDGE, APPROVE, RETRAIN
from assay_assign import arm_at, decode, slot
from assay_cli.main import main
from assay_operator.decide.analysis import plan

PATH = "/apis/assay.dev/v1alpha1/namespaces/demo/experiments/rollout"
TABLE = "control:0-2000,boosted:5000-7000"
SPEC: dict[str, Any] = {
    "modelRef": {"name": "churn"},
    "hypothesis": "more of them stay",
    "arms": [
        {"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "boosted"), 1)
    ],
    "ramp": [{"percent": 20}],
    "metrics": {"primary": {"name": "right", "missing": "Ignore"}},
    "decision": {"approval": "Manual", "minDuration": "1h", "maxDuration": "1d"},
}


def experiment(**status: Any) -> dict[str, Any]:
    running = {
        "phase": "Running",
        "startedAt": "2026-01-01T00:00:00Z",
        "arms": [{"name": "control", "version": "churn-1", "share": 20, "units": 5000}],
        "state": {
            "salt": "exp-1",
            "table": [{"arm": i.arm, "from": i.start, "to": i.end} for i in decode(TABLE)],
            "stepStartedAt": "2026-01-01T00:00:00Z",
            "plan": plan(ExperimentSpec.model_validate(SPEC)).model_dump(mode="json", by_alias=True),
        },
        "conditions": [],
    }
    metadata = {"name": "rollout", "namespace": "demo", "uid": "exp-1"}
    return {"metadata": metadata, "spec": SPEC, "status": running | status}


@dataclass
class Api:
    """An API server that has one Experiment, or what else is at its path."""

    kubeconfig: str = ""
    path: str = PATH
    body: dict[str, Any] = field(default_factory=experiment)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)  # what is at other paths
    status: int = 200
    patches: list[Any] = field(default_factory=list)

    def run(self, *words: str) -> int:
        return main([*words, "-n", "demo", "--kubeconfig", self.kubeconfig])


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(str(tmp_path / "kubeconfig"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {made.path: made.body, **made.others}.get(self.path)
            status = made.status if body else 404
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body if status == 200 else {}).encode())

        def do_PATCH(self) -> None:
            made.patches.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            assert self.headers["content-type"] == "application/merge-patch+json"
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cluster = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "it", "context": {"cluster": "it", "user": "me"}}
        users = [{"name": "me", "user": {}}]
        config = {"current-context": "it", "contexts": [context], "clusters": [cluster], "users": users}
        Path(made.kubeconfig).write_text(yaml.safe_dump(config))
        yield made
        server.shutdown()
        thread.join()


UNITS = ["user-1", "user-2", "ünïcødé", "has a space"]
EXPECTED = "".join(
    f"{unit}\t{slot('exp-1', unit)}\t{arm_at(decode(TABLE), slot('exp-1', unit)) or 'unenrolled'}\n"
    for unit in UNITS
)


def test_the_arm_of_a_unit_is_told_without_a_cluster(capsys: Any, monkeypatch: Any) -> None:
    assert main(["assign", "--salt", "exp-1", "--table", TABLE, *UNITS]) == 0
    assert capsys.readouterr().out == EXPECTED
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(UNITS) + "\n"))
    assert main(["assign", "--salt", "exp-1", "--table", TABLE, "-"]) == 0
    assert capsys.readouterr().out == EXPECTED


def test_the_arm_of_a_unit_is_told_of_a_running_experiment(api: Api, capsys: Any) -> None:
    assert api.run("assign", "-e", "rollout", *UNITS) == 0
    assert capsys.readouterr().out == EXPECTED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["u"], "say --experiment, or both", id="nothing to go by"),
        pytest.param(["u", "--salt", "x"], "both --salt and --table", id="a salt alone"),
        pytest.param(["u", "--salt", "x", "--table", "junk"], "'junk' is no interval", id="no table"),
    ],
)
def test_an_arm_that_cannot_be_told_says_what_is_missing(words: list[str], message: str, capsys: Any) -> None:
    assert main(["assign", *words]) == 2
    assert message in capsys.readouterr().err


def test_of_who_is_over_the_last_split_is_told(api: Api, capsys: Any) -> None:
    api.body = experiment(state={}, phase="Promoted")
    assert api.run("assign", "-e", "rollout", "u") == 2
    assert "splits nobody now: it is Promoted" in capsys.readouterr().err
    api.body = experiment(state={}, phase="Promoted", decision=ENDED | {"evidence": evidence((4400, 4000))})
    assert api.run("assign", "-e", "rollout", "u") == 0


def line(unit: str = "user-1", **change: Any) -> str:
    arm = arm_at(decode(TABLE), slot(change.get("salt") or "exp-1", unit)) or "unenrolled"
    return json.dumps({"experiment": "exp-1", "unit": unit, "table": TABLE, "assigned": arm} | change)


WRONG = line(assigned="control", table="control:0-0")


@pytest.mark.parametrize(
    ("lines", "code", "message"),
    [
        pytest.param([line(f"u{n}") for n in range(50)], 0, "50 exposures, 0 mismatches", id="a sound log"),
        pytest.param([line(), WRONG], 1, "line 2: unit 'user-1' of exp-1 got control", id="one wrong arm"),
        pytest.param([line(unit="", assigned="control")], 1, "1 mismatches", id="an arm without a unit"),
        pytest.param([line(salt="layer-1")], 0, "1 exposures, 0 mismatches", id="the salt of a layer"),
        pytest.param([line(assigned="none"), "{}"], 0, "2 lines of no Experiment", id="outside"),
        pytest.param(['{"ts": 1', "[]"], 0, "2 unreadable", id="half a line, and no object"),
        pytest.param([line(table="junk")], 0, "1 unreadable", id="no table"),
    ],
)
def test_an_audit_recomputes_every_line(
    lines: list[str], code: int, message: str, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    assert main(["audit", str(tmp_path / "log")]) == code
    assert message in capsys.readouterr().out


def test_an_audit_may_look_at_one_experiment_on_stdin(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WRONG}\n"))
    assert main(["audit", "--uid", "another"]) == 0
    assert "0 exposures, 0 mismatches; 1 lines of no Experiment" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "annotation"),
    [
        pytest.param(["approve", "rollout", "--by", "ada"], {APPROVE: "ada"}, id="approve"),
        pytest.param(["abort", "rollout", "--why", "too slow"], {ABORT: "too slow"}, id="abort"),
    ],
)
def test_a_persons_word_is_an_annotation(api: Api, words: list[str], annotation: dict[str, str]) -> None:
    assert api.run(*words) == 0
    assert api.patches == [{"metadata": {"annotations": annotation}}]


ENDED = {"verdict": "RollBack", "reason": "PrimaryWorse", "message": "worse", "at": "2026-01-01T02:00:00Z"}


@pytest.mark.parametrize("words", [["approve", "rollout"], ["abort", "rollout", "--why", "x"]])
def test_a_word_that_comes_too_late_is_refused(api: Api, words: list[str], capsys: Any) -> None:
    api.body = experiment(decision=ENDED, phase="RolledBack")
    assert api.run(*words) == 2
    assert "rollout is over: RolledBack, PrimaryWorse" in capsys.readouterr().err
    assert api.patches == []


def test_what_an_aa_test_found_is_acknowledged(api: Api, capsys: Any) -> None:
    words = ["acknowledge", "rollout", "--why", "a cache"]
    api.body = experiment(decision=ENDED, phase="RolledBack")
    assert api.run(*words) == 2
    assert "no A/A test that found a difference" in capsys.readouterr().err
    api.body = experiment(decision=ENDED | {"verdict": "Conclude", "reason": "AADiffers"})
    assert api.run(*words) == 0
    assert api.patches == [{"metadata": {"annotations": {ACKNOWLEDGE: "a cache"}}}]


def test_what_promotes_by_itself_needs_no_approval(api: Api, capsys: Any) -> None:
    api.body["spec"] = SPEC | {"decision": {}}
    assert api.run("approve", "rollout") == 2
    assert "decision.approval is Automatic" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        pytest.param("ghost", 200, "there is no Experiment ghost in namespace demo", id="no such Experiment"),
        pytest.param("rollout", 403, "ask for the role view", id="not allowed"),
    ],
)
def test_a_cluster_that_refuses_is_one_line(
    api: Api, name: str, status: int, words: str, capsys: Any
) -> None:
    api.status = status
    assert api.run("report", name) == 2
    assert words in capsys.readouterr().err


def evidence(right: tuple[int, int]) -> dict[str, Any]:
    arms = {
        name: {
            "version": f"churn-{i}",
            "units": 5000,
            "metrics": {"right": [5000, n, n], "assay.settled": [5000, 0, 0]},
        }
        for i, (name, n) in enumerate(zip(("control", "boosted"), right, strict=True), 1)
    }
    quality = {"srmLogEvidence": 0.0, "dataAgeSeconds": 1}
    table = [{"arm": i.arm, "from": i.start, "to": i.end} for i in decode(TABLE)]
    output = {
        "down": {},
        "drifting": [],
        "aborted": "",
        "lost": "",
        "alerted": "",
        "approved": "",
        "programmed": True,
    }
    when = {"now": "2026-01-01T02:00:00+00:00", "startedAt": "2026-01-01T00:00:00+00:00", "step": 0}
    when |= {"stepStartedAt": when["startedAt"]}
    return when | {"arms": arms, "quality": quality, "table": table, "salt": "exp-1"} | output


@pytest.mark.parametrize(
    ("right", "code", "message"),
    [
        pytest.param((4400, 4000), 0, "the same verdict", id="the numbers say so"),
        pytest.param((4000, 4400), 1, "again: Hold, WaitingForApproval", id="the numbers say something else"),
    ],
)
def test_a_verdict_is_computed_again(
    api: Api, right: tuple[int, int], code: int, message: str, capsys: Any
) -> None:
    api.body = experiment(decision=ENDED | {"evidence": evidence(right)})
    assert api.run("replay", "rollout") == code
    assert message in capsys.readouterr().out
    saved = Path(api.kubeconfig).with_name("saved.yaml")
    saved.write_text(yaml.safe_dump(api.body))  # sorted, as the API server sorts
    assert main(["replay", "-f", str(saved)]) == code


def test_what_was_decided_without_numbers_is_not_computed_again(api: Api, capsys: Any) -> None:
    api.body = experiment(decision=ENDED | {"verdict": "Abort", "message": "enough"})
    assert api.run("replay", "rollout") == 2
    assert "Abort was made without numbers: enough" in capsys.readouterr().err


def test_a_report_has_the_verdict_the_arms_and_the_numbers(api: Api, capsys: Any) -> None:
    analysis = {
        "metric": "right",
        "arm": "boosted",
        "role": "Primary",
        "control": 0.8,
        "estimate": -0.08,
        "low": -0.1,
        "lift": -0.1,
        "liftLow": -0.125,
        "liftHigh": -0.075,
        "units": 1234,
    }
    checks = {"srm": "p 0.5", "audit": "0 mismatches", "freshness": "1 s", "botUnits": 7}
    api.body = experiment(
        decision=ENDED, phase="RolledBack", analysis=[analysis | {"says": "worse"}], checks=checks
    )
    assert api.run("report", "rollout") == 0
    out = capsys.readouterr().out
    for words in (
        "# rollout: RolledBack",
        "> more of them stay",
        "**RollBack** after 2h: worse",
        "| control | churn-1 | 20% | 5,000 |",
        "| metric | role | arm | control | effect | 95% CS | lift | 95% CS | p | n | says |",
        "| right | Primary | boosted | 0.8 | -0.08 | -0.1 to - | -10.0% | -12.5% to -7.5% | - | 1,234 |",
        "7 bots",
    ):
        assert words in out


def model(**status: Any) -> dict[str, Any]:
    metadata = {"name": "churn", "namespace": "demo", "uid": "m"}
    return {"metadata": metadata, "spec": {"image": {"image": "x"}}, "status": status}


def test_a_version_is_asked_for_once_more(api: Api, capsys: Any) -> None:
    api.path, api.body = PATH.replace("experiments/rollout", "models/churn"), model(state={"latest": 3})
    assert api.run("retrain", "churn") == 0
    assert api.patches == [{"metadata": {"annotations": {RETRAIN: "churn-3"}}}]
    assert "churn-4 is made" in capsys.readouterr().out


def test_what_was_never_made_cannot_be_repeated(api: Api, capsys: Any) -> None:
    api.path, api.body = PATH.replace("experiments/rollout", "models/churn"), model()
    assert api.run("retrain", "churn") == 2
    assert api.run("retrain", "nobody") == 2
    assert api.patches == []
    output = capsys.readouterr().err
    assert "no version yet" in output
    assert "there is no Model nobody in namespace demo" in output


TRAINED = {"training": {"data": {"uri": "file:///x.csv", "target": "y", "key": "id"}}}
LIES = {"artifact": {"uri": "file:///artifacts/demo/churn/churn-2", "digest": "sha256:0"}}


@pytest.mark.parametrize(
    ("source", "status", "champion", "code", "words"),
    [
        pytest.param(
            TRAINED,
            LIES | {"phase": "Rejected"},
            "churn-1",
            1,
            "kubectl exec -n demo deploy/churn-1--predictor -- cat /artifacts/demo/churn/churn-2/card.md",
            id="a rejected version has no pod, but the champion sees its volume",
        ),
        pytest.param(TRAINED, LIES, "", 1, "mounts the claim churn-artifacts", id="nobody serves yet"),
        pytest.param(
            TRAINED, {"phase": "Training"}, "churn-1", 2, "no artifact: it is Training", id="not made yet"
        ),
        pytest.param(
            {"image": {"image": "x"}}, {}, "churn-1", 2, "brought from elsewhere", id="an image has no card"
        ),
    ],
)
def test_where_a_card_is_to_be_read(  # noqa: PLR0917
    api: Api,
    capsys: Any,
    source: dict[str, Any],
    status: dict[str, Any],
    champion: str,
    code: int,
    words: str,
) -> None:
    spec = {"modelRef": {"name": "churn"}, "number": 2, "source": source, "sourceDigest": "sha256:0"}
    metadata = {"name": "churn-2", "namespace": "demo", "uid": "v"}
    api.path = PATH.replace("experiments/rollout", "modelversions/churn-2")
    api.body = {"metadata": metadata, "spec": spec, "status": status}
    api.others[PATH.replace("experiments/rollout", "models/churn")] = model(champion=champion)
    assert api.run("card", "churn-2") == code
    assert words in capsys.readouterr().err
