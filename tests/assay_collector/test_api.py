"""The HTTP API on a real database: roles, formats, refusals, long polls, a graceful end."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from assay_assign import pseudonym

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def declared(collector: Any, experiment: dict[str, Any]) -> Any:
    with collector.client("operator") as client:
        assert client.put("/v1/experiments/exp-1", json=experiment).json() == {"changed": True}
    return collector


def ndjson(*records: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records) + b"\n"


def test_the_whole_way_from_exposure_and_outcome_to_the_summary(
    declared: Any, exposure: Make, outcome: Make
) -> None:
    with declared.client("gateway") as gateway, declared.client("application") as application:
        ann = exposure(1, "ann")
        body = ndjson(ann, exposure(2, "bob", "boosted", status=503), ann)
        assert gateway.post("/v1/exposures", content=body).json() == {
            "accepted": 2, "duplicates": 1, "unknown": 0, "late": 0,
        }  # fmt: skip
        assert application.post("/v1/outcomes", json=outcome(1, "ann")).json() == {
            "accepted": 1, "duplicates": 0, "unknown": 0, "orphans": 0, "late": 0,
        }  # fmt: skip
    found = declared.summary()
    assert found["arms"]["control"] == {
        "units": 1,
        "exposures": 1,
        "metrics": {
            "retained": {"n": 1, "sum": 1.0, "sumsq": 1.0, "m2": 0.0},
            "paid": {"n": 0, "sum": 0.0, "sumsq": 0.0, "m2": 0.0},
            "errors": {"n": 1, "sum": 0.0, "sumsq": 0.0, "m2": 0.0},
        },
        "mature": {},
    }
    assert found["arms"]["boosted"]["metrics"]["errors"]["sum"] == 1
    assert found["startedAt"] == "2026-01-01T00:00:00Z"
    assert found["lastExposureAt"].endswith("Z")
    assert found["checks"]["duplicateExposures"] == 1


@pytest.mark.parametrize("form", ["object", "array", "ndjson", "indented", "gzip"])
def test_outcomes_come_as_object_array_or_lines_packed_or_not(
    declared: Any, outcome: Make, form: str
) -> None:
    one, two = outcome(1, "ann"), outcome(2, "bob")
    bodies = {
        "object": (json.dumps(one).encode(), 1),
        "array": (json.dumps([one, two]).encode(), 2),
        "ndjson": (ndjson(one, two), 2),
        "indented": (json.dumps([one, two], indent=2).encode(), 2),
        "gzip": (gzip.compress(ndjson(one, two)), 2),
    }
    body, number = bodies[form]
    headers = {"Content-Encoding": "gzip"} if form == "gzip" else {}
    with declared.client("application") as client:
        answer = client.post("/v1/outcomes", content=body, headers=headers)
    assert answer.json()["accepted"] == number


def test_a_model_is_named_in_one_word_or_in_two_fields(declared: Any, outcome: Make) -> None:
    apart = outcome(1, "ann") | {"model": "churn", "namespace": "demo"}
    with declared.client("application") as client:
        assert client.post("/v1/outcomes", json=[apart, outcome(1, "ann")]).json()["duplicates"] == 1


def test_the_raw_unit_is_nowhere_in_the_database(declared: Any, outcome: Make) -> None:
    with declared.client("application") as client:
        client.post("/v1/outcomes", json=outcome(1, "somebody@example.org")).raise_for_status()
    files = list(declared.tokens.parent.glob("collector.db*"))
    assert files
    assert not any(b"somebody" in file.read_bytes() for file in files)


BAD_OUTCOMES = [
    pytest.param({"value": "much"}, "value", id="a value that is no number"),
    pytest.param({"value": 1e16}, "value", id="a value beyond all bounds"),
    pytest.param({"value": None}, "value", id="no value"),
    pytest.param({"unit": ""}, "unit", id="an empty unit"),
    pytest.param({"unit": "x" * 20_000}, "unit", id="an endless unit"),
    pytest.param({"metric": "a b"}, "metric", id="a metric with a space"),
    pytest.param({"time": "yesterday"}, "time", id="a time that is none"),
    pytest.param({"time": -5}, "time", id="a time before 1970"),
    pytest.param({"id": ""}, "id", id="no id"),
    pytest.param({"timestamp": 5}, "timestamp", id="a field that does not exist"),
    pytest.param({"model": "churn"}, None, id="half a name"),
]


@pytest.mark.parametrize(("change", "field"), BAD_OUTCOMES)
def test_a_bad_outcome_is_refused_by_record_and_field(
    declared: Any, outcome: Make, change: dict[str, Any], field: str | None
) -> None:
    with declared.client("application") as client:
        answer = client.post("/v1/outcomes", json=[outcome(1, "ann"), outcome(2, "bob") | change])
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        error = answer.json()["errors"][0]
        assert (error["record"], error.get("field")) == (1, field)
        assert client.post("/v1/outcomes", json=outcome(1, "ann")).json()["accepted"] == 1, (
            "nothing was stored"
        )


def test_a_line_that_is_no_json_is_refused_by_number(declared: Any, outcome: Make) -> None:
    with declared.client("application") as client:
        answer = client.post("/v1/outcomes", content=ndjson(outcome(1, "ann")) + b'{"model": "demo/ch')
    assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (400, "record 1 is not JSON")


BAD_EXPERIMENTS = [
    pytest.param({"arms": []}, "arms", id="no arms"),
    pytest.param({"arms": ["a", "a"], "table": ""}, None, id="an arm twice"),
    pytest.param({"table": "control:0-9,third:9-10"}, None, id="a table with a stranger"),
    pytest.param({"table": "control:9-0"}, None, id="a table that is none"),
    pytest.param({"metrics": [{"name": "m", "type": "Median"}]}, "metrics.0.type", id="an unknown type"),
    pytest.param(
        {"metrics": [{"name": "m", "type": "Mean", "source": "Gateway"}]}, "metrics.0", id="a Gateway mean"
    ),
]


@pytest.mark.parametrize(("change", "field"), BAD_EXPERIMENTS)
def test_a_bad_experiment_is_refused_by_field(
    collector: Any, experiment: dict[str, Any], change: dict[str, Any], field: str | None
) -> None:
    with collector.client("operator") as client:
        answer = client.put("/v1/experiments/exp-1", json=experiment | change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0].get("field") == field
        assert client.get("/v1/experiments/exp-1/summary").status_code == 404


def test_an_experiment_is_frozen_by_its_first_declaration(declared: Any, experiment: dict[str, Any]) -> None:
    with declared.client("operator") as client:
        again = client.put("/v1/experiments/exp-1", json=experiment | {"startedAt": None})
        assert again.json() == {"changed": False}
        moved = client.put("/v1/experiments/exp-1", json=experiment | {"epoch": 2, "closed": True})
        assert moved.json() == {"changed": True}
        answer = client.put("/v1/experiments/exp-1", json=experiment | {"metrics": []})
    assert answer.status_code == 409
    assert "metrics" in answer.json()["detail"]


ROUTES = [
    ("PUT", "/v1/experiments/exp-1", "operator"),
    ("GET", "/v1/experiments/exp-1/summary", "operator"),
    ("GET", f"/v1/experiments/exp-1/units/{'0' * 32}", "operator"),
    ("GET", "/v1/changes", "operator"),
    ("POST", "/v1/exposures", "gateway"),
    ("POST", "/v1/outcomes", "application"),
]


@pytest.mark.parametrize(("method", "path", "role"), ROUTES)
def test_each_route_is_for_one_role(collector: Any, method: str, path: str, role: str) -> None:
    for other in {"operator", "gateway", "application"} - {role}:
        with collector.client(other) as client:
            assert client.request(method, path).status_code == 403
    for headers in (
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic b3BlcmF0b3I="},
    ):
        answer = collector.client("nobody").request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_token_changes_without_a_restart(collector: Any) -> None:
    with collector.client("operator") as client:
        assert client.get("/v1/changes?timeout=0").status_code == 200
        fresh = collector.tokens / "fresh"
        fresh.write_text("another-token")
        fresh.replace(collector.tokens / "operator")
        assert client.get("/v1/changes?timeout=0").status_code == 401
        assert client.get(
            "/v1/changes?timeout=0", headers={"Authorization": "Bearer another-token"}
        ).is_success


def test_while_a_secret_travels_the_old_and_the_new_token_are_good(collector: Any) -> None:
    def status(token: str) -> int:
        with collector.client("nobody") as client:
            headers = {"Authorization": f"Bearer {token}"}
            return int(client.get("/v1/changes?timeout=0", headers=headers).status_code)

    def answers(content: str) -> list[int]:
        (collector.tokens / "fresh").write_text(content)
        (collector.tokens / "fresh").replace(collector.tokens / "operator")
        return [status(token) for token in ("old", "new", "")]

    assert answers("old\n") == [200, 401, 401]
    assert answers("old\nnew") == [200, 200, 401]
    assert answers("new\r\n\n  old  \n") == [200, 200, 401]
    assert answers("new") == [401, 200, 401]


def test_a_unit_is_found_by_its_pseudonym(declared: Any, exposure: Make, outcome: Make) -> None:
    with declared.client("gateway") as gateway, declared.client("application") as application:
        gateway.post("/v1/exposures", content=ndjson(exposure(1, "ann", "boosted"))).raise_for_status()
        application.post("/v1/outcomes", json=outcome(1, "ann", "paid", 12.5)).raise_for_status()
    name = pseudonym(b"a key for tests", "ann")
    with declared.client("operator") as client:
        found = client.get(f"/v1/experiments/exp-1/units/{name}").json()
        assert (found["arm"], found["exposures"], found["metrics"]["paid"]["value"]) == ("boosted", 1, 12.5)
        assert client.get(f"/v1/experiments/exp-1/units/{'0' * 32}").status_code == 404
        assert client.get("/v1/experiments/exp-1/units/ann").status_code == 422


def test_a_long_poll_wakes_when_something_changes(declared: Any, exposure: Make) -> None:
    with declared.client("operator") as operator, declared.client("gateway") as gateway:
        since = operator.get("/v1/changes?since=0&timeout=5").json()["revision"]
        late = threading.Timer(0.3, lambda: gateway.post("/v1/exposures", content=ndjson(exposure(1, "ann"))))
        started = time.monotonic()
        late.start()
        news = operator.get(f"/v1/changes?since={since}&timeout=20").json()
        assert 0.25 < time.monotonic() - started < 5
        late.join()
        assert news["experiments"] == ["exp-1"]
        assert news["revision"] > since


def test_a_long_poll_ends_empty_when_nothing_changes(declared: Any) -> None:
    with declared.client("operator") as client:
        since = client.get("/v1/changes").json()["revision"]
        assert client.get(f"/v1/changes?since={since}&timeout=0.2").json() == {
            "revision": since,
            "experiments": [],
        }
        assert client.get("/v1/changes?since=x").status_code == 422


def test_sigterm_ends_long_polls_and_then_the_process(
    make_collector: Callable[..., Any],
) -> None:
    process = make_collector()
    process.start()
    answers: list[int] = []

    def poll() -> None:
        with process.client("operator") as client:
            since = client.get("/v1/changes?timeout=0").json()["revision"]
            ready.set()
            answers.append(client.get(f"/v1/changes?since={since}&timeout=60").status_code)

    ready = threading.Event()
    waiting = threading.Thread(target=poll)
    waiting.start()
    assert ready.wait(10)
    time.sleep(0.2)  # let the second request arrive; nothing can be observed of one that waits
    assert process.terminate() == 0
    waiting.join(10)
    assert answers == [200]


def test_bodies_are_bounded_as_sent_and_as_unpacked(make_collector: Callable[..., Any]) -> None:
    small = make_collector(body_bytes="100000", body_seconds="1")
    small.start()
    with small.client("application") as client:
        assert client.post("/v1/outcomes", content=b" " * 100_001).status_code == 413
        bomb = gzip.compress(b" " * 50_000_000)
        assert len(bomb) < 100_000
        answer = client.post("/v1/outcomes", content=bomb, headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, "100000 bytes" in answer.json()["detail"]) == (413, True)
        broken = client.post("/v1/outcomes", content=b"no archive", headers={"Content-Encoding": "gzip"})
        assert broken.status_code == 400
        cut = client.post(
            "/v1/outcomes", content=gzip.compress(b"[]" * 99)[:-4], headers={"Content-Encoding": "gzip"}
        )
        assert cut.status_code == 400
        assert (
            client.post("/v1/outcomes", content=b"x", headers={"Content-Encoding": "br"}).status_code == 415
        )

        def endless() -> Any:
            while True:
                yield b" " * 10_000

        assert client.post("/v1/outcomes", content=endless()).status_code == 413
        assert client.get("/livez").text == "ok"


def test_a_body_that_never_ends_is_given_up(make_collector: Callable[..., Any]) -> None:
    process = make_collector(body_seconds="0.3")
    process.start()
    with socket.create_connection(("127.0.0.1", process.port)) as slow:
        head = "POST /v1/outcomes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer application-token\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n[".encode())
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_too_many_records_in_one_request_are_refused(declared: Any) -> None:
    with declared.client("application") as client:
        answer = client.post("/v1/outcomes", content=b"{}\n" * 20_001)
    assert (answer.status_code, "at most 20000" in answer.json()["detail"]) == (413, True)


def test_unknown_paths_and_methods_are_problems_too(collector: Any) -> None:
    for method, path, status in (("GET", "/v2", 404), ("DELETE", "/v1/outcomes", 405)):
        answer = collector.client("nobody").request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_metrics_tell_what_came_in_and_what_was_refused(declared: Any, exposure: Make) -> None:
    with declared.client("gateway") as client:
        client.post("/v1/exposures", content=ndjson(exposure(1, "ann", audit="mismatch"))).raise_for_status()
        client.post("/v1/exposures", content=b"nonsense")
        text = client.get("/metrics").text
    for line in (
        'assay_ingest_events_total{kind="exposure",result="accepted"} 1.0',
        'assay_exposure_audit_mismatches_total{experiment="exp-1"} 1.0',
        'assay_ingest_lag_seconds_count{kind="exposure"} 1.0',
        'assay_requests_refused_total{path="/v1/exposures",status="400"} 1.0',
    ):
        assert line in text


def test_a_wrong_setting_is_named_at_start(make_collector: Callable[..., Any]) -> None:
    process = make_collector(listen_port="many")
    with pytest.raises(AssertionError, match="ASSAY_LISTEN_PORT"):
        process.start()
