"""Start, refusal and stop of real processes."""

import asyncio
import collections
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import joblib
import pytest
import skops.io

from assay_artifact import MANIFEST, write
from assay_artifact.manifest import digest_of

ROWS = [{"age": 33, "plan": "pro", "spend": 3.5, "région": "n", "active": True}] * 20


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def poisoned(mark: Path) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(Evil(mark), buffer)
    return buffer.getvalue()


def bomb(_: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (100 << 20))
    return buffer.getvalue()


def unlisted(_: Path) -> bytes:
    content: bytes = skops.io.dumps(os.getcwd)
    return content


def refused(uri: str, digest: str, folder: Path, **environment: str) -> dict[str, str]:
    """Return what the process leaves in its termination log."""
    log = folder / "termination-log"
    ours = {"MODEL_URI": uri, "MODEL_DIGEST": digest, "ASSAY_TERMINATION_LOG": str(log), "HOST": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "assay_serving"],
        env={**os.environ, **ours, "PORT": "1", "BENTOML_HOME": str(folder / "bentoml"), **environment},
        capture_output=True,
        timeout=400,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 1, done.stderr
    (line,) = log.read_text().splitlines()
    report: dict[str, str] = json.loads(line)
    return report


@pytest.mark.parametrize(
    ("content", "form", "reason"),
    [
        pytest.param(poisoned, "joblib", "PickleRefused", id="a poisoned pickle"),
        pytest.param(poisoned, "skops", "Unreadable", id="a pickle that calls itself skops"),
        pytest.param(bomb, "skops", "ZipBomb", id="a zip bomb"),
        pytest.param(unlisted, "skops", "UntrustedType", id="a skops file with an unlisted type"),
        pytest.param(poisoned, "onnx", "Unreadable", id="no ONNX at all"),
    ],
)
def test_a_hostile_artifact_is_refused_before_anything_runs(
    churn: Any, tmp_path: Path, content: Any, form: str, reason: str
) -> None:
    manifest = churn.manifest("logistic", format=form, file="model")
    there = write((tmp_path / "store").as_uri(), {"model": content(tmp_path / "ran")}, manifest)
    assert refused(there.uri, there.digest, tmp_path)["reason"] == reason
    assert not (tmp_path / "ran").exists()


def test_a_wrong_digest_is_refused_by_both_digests(churn: Any, tmp_path: Path) -> None:
    there = churn.written(tmp_path / "store")
    report = refused(there.uri, "sha256:" + "0" * 64, tmp_path)
    assert report["reason"] == "DigestMismatch"
    assert there.digest in report["message"]


def test_a_file_outside_the_folder_is_not_read(churn: Any, tmp_path: Path) -> None:
    there = churn.written(tmp_path / "store")
    path = Path(there.uri.removeprefix("file://")) / MANIFEST
    fields = json.loads(path.read_bytes())
    fields["files"]["../../../etc/passwd"] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(fields))
    assert refused(there.uri, digest_of(path.read_bytes()), tmp_path)["reason"] == "BadManifest"


def test_a_format_that_the_model_does_not_ask_for_is_refused(churn: Any, tmp_path: Path) -> None:
    there = churn.written(tmp_path / "store")
    report = refused(there.uri, there.digest, tmp_path, ASSAY_FORMAT="onnx")
    assert report == {
        "reason": "FormatMismatch",
        "message": "the manifest says skops, the Model asks for onnx",
    }


def test_a_missing_artifact_is_named(tmp_path: Path) -> None:
    report = refused("file:///nowhere/churn-9", "sha256:" + "0" * 64, tmp_path)
    assert report["reason"] == "ArtifactMissing"
    assert "/nowhere/churn-9" in report["message"]


def test_ready_means_that_a_prediction_was_made(start: Any) -> None:
    server = start("forest")
    assert server.get("/livez").json() == {"live": True}
    assert server.get("/healthz").status_code == 200
    assert re.search(r"serving churn churn-1 \(plan\)", server.log.read_text())


class Clients:
    """Keep-alive and reconnecting clients, which go elsewhere half a second after the signal."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.leave = asyncio.Event()
        self.statuses: collections.Counter[str] = collections.Counter()
        body = json.dumps({"rows": ROWS}).encode()
        self.head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.head += b"Content-Length: %d\r\n" % len(body)
        self.body = body

    async def run(self, *, keep_alive: bool) -> None:
        connection = None
        while not self.leave.is_set():
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port)
                closed = await self.ask(*connection, keep_alive=keep_alive)
            except (OSError, EOFError) as error:
                self.statuses[f"lost: {type(error).__name__}"] += 1
                connection = None
                continue
            if closed or not keep_alive:
                connection[1].close()
                connection = None

    async def ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep_alive: bool
    ) -> bool:
        writer.write(self.head + (b"\r\n" if keep_alive else b"Connection: close\r\n\r\n") + self.body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", head)
        assert length
        await reader.readexactly(int(length[1]))
        self.statuses[head.split()[1].decode()] += 1
        return b"connection: close" in head


async def stopped_under_load(server: Any) -> tuple[collections.Counter[str], int, float]:
    clients = Clients(server.port)
    tasks = [asyncio.create_task(clients.run(keep_alive=i < 16)) for i in range(32)]
    while clients.statuses["200"] < 500:
        await asyncio.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    signalled = time.monotonic()
    await asyncio.sleep(0.5)
    clients.leave.set()
    await asyncio.gather(*tasks)
    code = await asyncio.to_thread(server.process.wait, 30)
    return clients.statuses, code, time.monotonic() - signalled


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_no_request_is_lost_when_the_process_is_told_to_stop(start: Any, name: str) -> None:
    statuses, code, _ = asyncio.run(stopped_under_load(start(name)))
    assert set(statuses) == {"200"}, statuses
    assert code == 0


def test_while_draining_it_answers_but_is_not_ready(start: Any) -> None:
    server = start("logistic", {"DRAIN_SECONDS": "30"})
    server.process.send_signal(signal.SIGTERM)
    while server.get("/readyz").status_code == 200:
        pass
    answer = server.ask(json=ROWS)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert server.get("/livez").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0, "the second signal ends the drain"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        pytest.param("MODEL_URI", "", "MODEL_URI must be set", id="no artifact"),
        pytest.param("PORT", "http", "PORT is 'http', expected a number", id="a port by name"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, variable: str, value: str, message: str) -> None:
    log = tmp_path / "log"
    ours = {"MODEL_URI": "file:///x", "MODEL_DIGEST": "sha256:x", "ASSAY_TERMINATION_LOG": str(log)}
    done = subprocess.run(
        [sys.executable, "-m", "assay_serving"],
        env={**os.environ, **ours, variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in json.loads(log.read_text())["message"]


def test_a_model_that_takes_no_nulls_serves_and_refuses_them(start: Any) -> None:
    server = start("numbers")
    assert server.ask(json=[{"age": 3, "spend": 1}]).status_code == 200
    answer = server.ask(json=[{"age": 3, "spend": None}])
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:assay:refused-by-model")
