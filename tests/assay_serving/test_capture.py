"""Rows are counted on the profile's cells, some columns never; counts arrive once, whatever happens."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay_artifact import Table, fetch, from_columns, load
from assay_artifact.prediction import spelled, watched
from assay_drift.profile import FILE, NULL, UNSEEN, Profile, read
from assay_drift.reference import Answers, Rows, profile
from assay_drift.tally import Delta
from assay_drift.token import predictor_token
from assay_serving.capture.config import CaptureConfig
from assay_serving.capture.counting import Capture
from assay_serving.capture.reporter import MAX_BATCHES, Address, ProfileReporter
from assay_serving.metrics import Metrics

ODD = {"age": None, "plan": "never seen", "spend": 1e9, "région": "n", "active": True}


def reference(churn: Any, predictor: Any) -> bytes:
    """Make the profile as the trainer does."""
    manifest = predictor.manifest
    table = from_columns(churn.raw(), manifest.features)
    labels, scores = watched(predictor.predict(table), manifest)
    kinds = {feature.name: feature.type for feature in manifest.features}
    classes = [spelled(label) for label in manifest.classes or ()]
    return profile(kinds, Rows(*table), Answers(labels, scores), classes, manifest.threshold).to_bytes()


@pytest.fixture(scope="module")
def predictor(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("captured")
    there = churn.written(folder / "store")
    return load(folder / "copy", fetch(there.uri, there.digest, folder / "copy"))


@pytest.fixture(scope="module")
def known(churn: Any, predictor: Any) -> Profile:
    return read(reference(churn, predictor))


def capture(known: Profile, predictor: Any, wish: CaptureConfig) -> Capture:
    return Capture(known, predictor.manifest, wish, Metrics("demo", "churn", "churn-1").captured)


def rows(churn: Any, predictor: Any, count: int, seed: int = 5) -> Table:
    return from_columns(churn.raw(count, seed), predictor.manifest.features)


def test_counts_do_not_depend_on_how_rows_came(churn: Any, predictor: Any, known: Profile) -> None:
    table = rows(churn, predictor, 1200)
    whole, single = (capture(known, predictor, CaptureConfig()) for _ in range(2))
    whole(table, predictor.predict(table))
    for at in range(len(table)):
        one = table.slice(at, at + 1)
        single(one, predictor.predict(one))
    report = whole.take().plain()
    assert report == single.take().plain()
    assert report["rows"] == 1200
    assert all(
        sum(counts) == 1200 for part in ("features", "predictions") for counts in report[part].values()
    )
    assert whole.take().rows == 0


def test_what_is_odd_is_counted_where_it_can_be_seen(predictor: Any, known: Profile) -> None:
    table = from_columns({name: [value] * 7 for name, value in ODD.items()}, predictor.manifest.features)
    counter = capture(known, predictor, CaptureConfig())
    counter(table, predictor.predict(table))
    features = counter.take().features
    assert (features["age"][NULL], features["plan"][UNSEEN], features["spend"][-1]) == (7, 7, 7)


def test_a_column_that_is_left_out_is_nowhere(churn: Any, predictor: Any, known: Profile) -> None:
    counter = capture(known, predictor, CaptureConfig(exclude=("plan", "age")))
    table = rows(churn, predictor, 10)
    counter(table, predictor.predict(table))
    assert counter.take().features.keys() == {"spend", "région", "active"}
    with pytest.raises(ValueError, match="'salary'"):
        capture(known, predictor, CaptureConfig(exclude=("salary",)))


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_a_sample_has_its_share_of_rows_in_requests_of_any_size(
    churn: Any, predictor: Any, known: Profile, size: int, share: float
) -> None:
    counter, table = capture(known, predictor, CaptureConfig(sample=share)), rows(churn, predictor, size)
    answer, turns = predictor.predict(table), 40_000 // size
    for _ in range(turns):
        counter(table, answer)
    expected = share * size * turns
    assert abs(counter.take().rows - expected) < 6 * expected**0.5


class Desk:
    """A collector that answers as it is told, and remembers."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                desk.received.append((self.headers["Authorization"], json.loads(body)))
                self.send_response(desk.answers.pop(0) if desk.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def lost() -> Any:
    return Metrics("demo", "churn", "churn-1").uncaptured


Send = Callable[..., ProfileReporter]


def delivered(reporter: ProfileReporter) -> bool:
    """Report what was counted; tell whether the collector has it all."""
    reporter.report()
    return reporter.outbox.flush(10)


@pytest.fixture
def reporter(desk: Desk, lost: Any, tmp_path: Path) -> Send:
    def made(url: str = f"http://127.0.0.1:{desk.server.server_port}", rows: int = 3) -> ProfileReporter:
        (tmp_path / "token").write_text("ours\n")
        delta = Delta(rows, {}, {})
        owner = {"namespace": "demo", "model": "churn", "version": "churn-1", "profile": "sha256:1"}
        return ProfileReporter(lambda: delta, Address(url, tmp_path / "token", owner, "pod-a"), lost, 3600)

    return made


def test_a_batch_goes_with_its_number_its_owner_and_the_token_of_now(
    desk: Desk, reporter: Send, tmp_path: Path
) -> None:
    one = reporter()
    assert delivered(one)
    (tmp_path / "token").write_text("rotated\nours")
    assert delivered(one)
    assert [token for token, _ in desk.received] == ["Bearer ours", "Bearer rotated"]
    first, second = (report for _, report in desk.received)
    assert (first["sequence"], second["sequence"], first["source"]) == (1, 2, second["source"])
    assert first["source"].startswith("pod-a:")
    assert second["from"] == first["until"]
    assert first["model"] == "churn"


def test_what_was_not_taken_comes_again_unchanged_and_in_order(desk: Desk, reporter: Send) -> None:
    one = reporter()
    desk.answers = [503, 401, 200]
    assert [delivered(one) for _ in range(3)] == [False, False, True]
    numbers = [report["sequence"] for _, report in desk.received]
    assert numbers == [1, 1, 1, 2, 3]
    assert desk.received[0][1] == desk.received[2][1]


def test_what_is_refused_for_good_is_given_up_and_counted(desk: Desk, reporter: Send, lost: Any) -> None:
    one = reporter()
    desk.answers = [422]
    assert delivered(one)
    assert lost._value.get() == 3
    assert delivered(one)


def test_while_nobody_listens_batches_wait_up_to_a_bound(reporter: Send, lost: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    one = reporter(url=f"http://127.0.0.1:{port}")
    for _ in range(MAX_BATCHES + 5):
        assert not delivered(one)
    assert (len(one.outbox), lost._value.get()) == (MAX_BATCHES, 15)


def test_without_a_token_counts_wait(desk: Desk, reporter: Send, tmp_path: Path) -> None:
    one = reporter()
    (tmp_path / "token").unlink()
    assert not delivered(one)
    (tmp_path / "token").write_text("ours")
    assert delivered(one)
    assert [report["sequence"] for _, report in desk.received] == [1, 2]


def test_nothing_counted_nothing_sent(desk: Desk, reporter: Send) -> None:
    assert delivered(reporter(rows=0))
    assert desk.received == []


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[str]:
    """A real collector."""
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    for role in ("operator", "predictor"):
        (tokens / role).write_text(f"{role}-token")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "ASSAY_DATABASE_URL": f"sqlite:///{tmp_path}/collector.db",
        "ASSAY_TOKENS_DIR": str(tokens),
        "ASSAY_UNIT_KEY_FILE": str(tokens / "operator"),
        "ASSAY_LISTEN_HOST": "127.0.0.1",
        "ASSAY_LISTEN_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "assay_collector"], env={**os.environ, **settings})
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                break
        except httpx.TransportError:
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(30)


def test_what_was_served_reaches_the_collector_even_when_the_process_ends(
    churn: Any, predictor: Any, start: Any, collector: str, tmp_path: Path
) -> None:
    """From HTTP to the collector's sums: the rows of every request, once, without the columns left out."""
    (tmp_path / "badge").write_text(predictor_token(b"predictor-token", "demo"))
    server = start(
        "logistic",
        {
            "ASSAY_CAPTURE": '{"exclude": ["région"]}',
            "ASSAY_CAPTURE_SECONDS": "3600",
            "ASSAY_COLLECTOR_URL": collector,
            "ASSAY_TOKEN_FILE": str(tmp_path / "badge"),
        },
        more={FILE: reference(churn, predictor)},
    )
    for count in (1, 30, 200):
        frame = churn.raw(count, seed=count)
        sent = json.loads(frame.to_json(orient="records"))
        assert server.ask(json={"rows": sent}).status_code == 200
    assert server.ask(json=[{"age": "x"}]).status_code == 422
    assert 'assay_requests_in_flight{model="churn"' in server.get("/metrics").text
    assert server.stop() == 0
    headers = {"Authorization": "Bearer operator-token"}
    answer = httpx.get(f"{collector}/v1/profiles/demo/churn/churn-1", headers=headers).json()
    (report,) = answer["profiles"]
    assert report["rows"] == 231
    assert report["features"].keys() == {"age", "plan", "spend", "active"}
    assert sum(report["predictions"]["score"]) == 231


def test_a_version_without_a_profile_serves_and_says_that_nothing_is_counted(start: Any) -> None:
    server = start("logistic", {"ASSAY_CAPTURE": "{}"})
    assert server.ask(json=[ODD]).status_code == 200
    assert "written without profile.json" in server.log.read_text()
