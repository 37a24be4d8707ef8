"""Data and artifacts in the stores of Google and Azure, from servers of their protocols."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pandas
import pytest
from clouds import KEY, Cloud, azure, google, google_environment
from opening import outcome
from trainer import run

from assay_training.spec import Job

Make = Callable[..., Job]


@pytest.fixture(scope="module", params=[google, azure], ids=["gs", "az"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with request.param() as running:
        yield running


def test_rows_come_from_a_cloud_and_the_artifact_goes_there(
    job: Make, file: Path, cloud: Cloud, tmp_path: Path
) -> None:
    rows = pandas.read_csv(file)
    for number, some in enumerate((rows[:300], rows[300:600])):
        cloud.put(f"churn/{number}.csv", some.to_csv(index=False).encode())
    lake = f"{cloud.scheme}://lake"
    wanted = job(data={"uri": f"{lake}/churn/*.csv"}, store=f"{lake}/artifacts")
    report, printed = run(wanted, tmp_path / "log", **cloud.environment)
    assert report["ok"], printed
    assert report["data"]["rows"] == 600
    artifact = report["artifact"]
    assert artifact["uri"].startswith(f"{lake}/artifacts/demo/churn/churn-1/")
    opened = outcome(cloud.environment, artifact["uri"], artifact["digest"], tmp_path / "copy")
    assert opened.startswith("opened onnx "), opened


def test_an_object_that_is_not_there_has_a_reason(job: Make, cloud: Cloud, tmp_path: Path) -> None:
    uri = f"{cloud.scheme}://lake/nowhere.csv"
    report, printed = run(job(data={"uri": uri}), tmp_path / "log", **cloud.environment)
    assert (report["reason"], uri in report["message"]) == ("DataNotFound", True), printed


@pytest.fixture
def closed_google() -> Iterator[dict[str, str]]:
    """Google's answer to who may not read."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            error = {"code": 403, "message": "Anonymous caller does not have storage.objects.get access"}
            body = json.dumps({"error": error}).encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield google_environment(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_google_refuses_strangers(job: Make, closed_google: dict[str, str], tmp_path: Path) -> None:
    refused(job, "gs", tmp_path, closed_google)


def test_azure_refuses_strangers(job: Make, tmp_path: Path) -> None:
    with azure() as cloud:
        cloud.put("churn.csv", b"customer_id,churn\n1,True\n")
        wrong = base64.b64encode(b"w" * 64).decode()
        stranger = {name: told.replace(KEY, wrong) for name, told in cloud.environment.items()}
        refused(job, "az", tmp_path, stranger)
        refused(job, "az", tmp_path, {})


def refused(job: Make, scheme: str, tmp_path: Path, environment: dict[str, Any]) -> None:
    """See to it that credentials are what is told of, and not what they are."""
    report, printed = run(job(data={"uri": f"{scheme}://lake/churn.csv"}), tmp_path / "log", **environment)
    assert report["reason"] == "DataAccessDenied", printed
    assert "data.secretRef" in report["message"]
    assert not any("AccountKey=" in text for text in (printed, report["message"]))
