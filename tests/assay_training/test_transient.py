"""What does not answer is reported as a failure that may pass; a refusal, or what is not there, never is."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import azure.core.exceptions
import botocore.exceptions
import gcsfs.retry
import google.auth.exceptions
import pytest
import sqlalchemy
from servers import free_port
from trainer import run

from assay_training.data import database, source
from assay_training.data.sample import SampleConfig
from assay_training.errors import JobError
from assay_training.evaluation import champion
from assay_training.runtime.transient import may_pass
from assay_training.search.storage import opened
from assay_training.spec import Data, Job, Stored

Make = Callable[..., Job]
DIGEST = "sha256:" + "0" * 64
NOBODY = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


class Scripted(ThreadingHTTPServer):
    """Answers every GET with `status`; with 200 it has `content`."""

    status, content = 200, b""
    daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Scripted)
        body = self.server.content if self.server.status == 200 else b"no"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted() -> Iterator[Scripted]:
    with Scripted(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


def data(uri: str) -> Data:
    return Data.model_validate({"uri": uri, "target": "churn", "key": "customer_id"})


def refusal(call: Callable[[], object]) -> JobError:
    with pytest.raises(JobError) as raised:
        call()
    return raised.value


@pytest.mark.slow
def test_a_busy_server_fails_for_now_and_the_same_job_succeeds_later(
    job: Make, file: Path, server: Scripted, tmp_path: Path
) -> None:
    server.content, server.status = file.read_bytes(), 503
    wanted = job(data={"uri": f"{server.url}/churn.csv"})
    report, printed = run(wanted, tmp_path / "log")
    assert (report["ok"], report["reason"], report["passing"]) == (False, "DataUnreadable", True), printed
    assert "503" in report["message"]
    server.status = 200
    report, printed = run(wanted, tmp_path / "log")
    assert report["ok"], printed


def test_only_a_failure_that_may_pass_says_so(job: Make, server: Scripted, tmp_path: Path) -> None:
    server.status = 404
    report, _ = run(job(data={"uri": f"{server.url}/churn.csv"}), tmp_path / "log")
    assert report["reason"] == "DataNotFound"
    assert "passing" not in report


@pytest.mark.parametrize(
    ("status", "reason", "passing"),
    [
        (408, "DataUnreadable", True), (429, "DataUnreadable", True), (500, "DataUnreadable", True),
        (502, "DataUnreadable", True), (504, "DataUnreadable", True), (400, "DataUnreadable", False),
        (401, "DataAccessDenied", False), (403, "DataAccessDenied", False), (404, "DataNotFound", False),
    ],
)  # fmt: skip
def test_an_answer_of_the_server_decides(
    server: Scripted, status: int, reason: str, *, passing: bool
) -> None:
    server.status = status
    for path in ("churn.csv", "*.csv"):
        found = refusal(lambda path=path: source.read(data(f"{server.url}/{path}"), None))  # type: ignore[misc]
        assert (found.reason, found.passing) == (reason, passing), found.message


def test_what_the_server_answers_and_is_no_data_does_not_pass(server: Scripted) -> None:
    server.content = b"\xff\xfe\x00no csv"
    assert not refusal(lambda: source.read(data(f"{server.url}/churn.csv"), None)).passing


@pytest.mark.parametrize(
    "host", [f"127.0.0.1:{free_port()}", "nowhere.invalid"], ids=["no listener", "no name"]
)
def test_a_server_that_is_not_there_may_come(host: str) -> None:
    for path in ("churn.csv", "*.csv"):
        found = refusal(lambda path=path: source.read(data(f"http://{host}/{path}"), None))  # type: ignore[misc]
        assert (found.reason, found.passing) == ("DataUnreadable", True), found.message


@pytest.mark.slow
@pytest.mark.parametrize("part", ["data", "store"])
def test_s3_that_does_not_answer_may_come(job: Make, tmp_path: Path, part: str) -> None:
    reads = {"data": {"uri": "s3://lake/churn.csv"}} if part == "data" else {"store": "s3://lake/artifacts"}
    report, printed = run(job(**reads), tmp_path / "log", **NOBODY)
    reason = {"data": "DataUnreadable", "store": "ArtifactFailed"}[part]
    assert (report["reason"], report["passing"]) == (reason, True), printed


@pytest.mark.parametrize(
    ("status", "passing"), [(0, True), (503, True), (404, False), (403, False), (200, False)]
)
def test_a_champion_whose_store_does_not_answer_may_come(
    server: Scripted, tmp_path: Path, status: int, *, passing: bool
) -> None:
    """200 is a folder with another content than its digest says; 0 is nobody at that port."""
    server.status = status or 200
    url = server.url if status else f"http://127.0.0.1:{free_port()}"
    found = refusal(lambda: champion.opened(Stored(uri=f"{url}/churn-1", digest=DIGEST), tmp_path / "into"))
    assert (found.reason, found.passing) == ("ChampionUnreadable", passing), found.message


def queried(url: str, query: str = "SELECT 1 AS churn, 2 AS customer_id") -> JobError:
    block = {"sql": {"urlSecretRef": {"name": "s"}, "query": query}, "target": "churn", "key": "customer_id"}
    asked = Data.model_validate(block)
    environment = {database.URL: url}
    return refusal(lambda: database.queried(asked, list, SampleConfig("customer_id", 1, None), environment))


def test_a_database_that_is_not_there_may_come(tmp_path: Path) -> None:
    assert queried(f"postgresql+psycopg://u:hidden@127.0.0.1:{free_port()}/d").passing
    assert queried("postgresql+psycopg://u:hidden@nowhere.invalid/d").passing
    assert not queried(f"sqlite:///{tmp_path}/new.db", "SELECT * FROM nowhere").passing
    assert not queried(f"sqlite:///{tmp_path}/no/folder.db").passing
    assert not queried("mysql+pymysql://u:hidden@h/d").passing


@pytest.mark.slow
def test_a_database_that_refuses_does_not_pass(postgres: str) -> None:
    assert not queried(postgres.replace("the-password", "guessed")).passing
    assert not queried(postgres.replace("/postgres", "/nowhere")).passing
    assert not queried(postgres, "SELECT * FROM nowhere").passing
    assert not queried(postgres, "SELECT 1/0 AS churn, 1 AS customer_id").passing


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of the cursor that was cut off
def test_a_database_that_ends_the_connection_may_come_back(postgres: str) -> None:
    """An administrator's end of a session is what a restart of the server looks like."""
    assert queried(postgres, "SELECT pg_terminate_backend(pg_backend_pid())").passing
    gc.collect()


@pytest.mark.slow
def test_a_database_without_a_connection_left_may_have_one_later(postgres: str) -> None:
    engine = sqlalchemy.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE ROLE lone LOGIN CONNECTION LIMIT 0 PASSWORD 'lone'"))
    engine.dispose()
    found = queried(postgres.replace("assay:the-password", "lone:lone"))
    assert found.passing, found.message


def test_a_study_that_is_not_there_may_come(tmp_path: Path) -> None:
    away = f"postgresql+psycopg://u:hidden@127.0.0.1:{free_port()}/d"
    found = refusal(lambda: opened(away, "bowl"))
    assert (found.reason, found.passing) == ("StudyUnreachable", True)
    assert not refusal(lambda: opened("no url", "bowl")).passing
    assert not refusal(lambda: opened(f"sqlite:///{tmp_path}/trials.db", "bowl")).passing


@pytest.mark.slow
def test_a_study_that_refuses_does_not_pass(postgres: str) -> None:
    wrong = postgres.replace("the-password", "guessed")
    assert not refusal(lambda: opened(wrong, "bowl")).passing


def of_azure(status: int) -> Exception:
    error = azure.core.exceptions.HttpResponseError("said")
    error.status_code = status
    return error


def of_google(kind: str, message: str) -> Exception:
    error: Exception = getattr(google.auth.exceptions, kind)(message)
    return error


def of_s3(code: str, status: int) -> Exception:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = botocore.exceptions.ClientError(answer, "GetObject")
    return error


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (of_s3("SlowDown", 503), True),
        (of_s3("InternalError", 500), True),
        (of_s3("TooManyRequests", 429), True),
        (of_s3("NoSuchKey", 404), False),
        (of_s3("AccessDenied", 403), False),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="u"), True),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="u"), True),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="u"), True),
        (botocore.exceptions.ResponseStreamingError(error="u"), True),
        (botocore.exceptions.NoCredentialsError(), False),
        (of_azure(503), True),
        (of_azure(429), True),
        (of_azure(404), False),
        (azure.core.exceptions.ClientAuthenticationError("no"), False),
        (azure.core.exceptions.ServiceRequestError("cannot connect"), True),
        (azure.core.exceptions.ServiceResponseError("cut off"), True),
        (gcsfs.retry.HttpError({"code": 503, "message": "busy"}), True),
        (gcsfs.retry.HttpError({"code": "429", "message": "slow"}), True),
        (gcsfs.retry.HttpError({"code": 403, "message": "no"}), False),
        (of_google("TransportError", "no route"), True),
        (of_google("DefaultCredentialsError", "none"), False),
        (OSError(28, "No space left on device"), False),
        (ValueError("a parse error"), False),
        (FileNotFoundError(2, "no such file"), False),
    ],
    ids=repr,
)
def test_each_client_has_words_of_its_own(error: Exception, *, passing: bool) -> None:
    assert may_pass(error) is passing
    wrapped = OSError("a store's own words")
    wrapped.__cause__ = error
    assert may_pass(wrapped) is passing
