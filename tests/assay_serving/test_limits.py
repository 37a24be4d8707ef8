"""What a client hears when there is too much of something: bytes, rows that wait, time."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from assay_artifact import Prediction, Table, fetch, load
from assay_serving.api.app import application
from assay_serving.codec.bodies import RequestReader
from assay_serving.inference.batcher import Cost
from assay_serving.problems import Problem
from assay_serving.settings import Settings
from assay_serving.version import State, Version

ROW = {"age": 33, "plan": "pro", "spend": 3.5, "région": "n", "active": True}


class Busy:
    """A version whose model answers when it is let."""

    def __init__(self, predictor: Any) -> None:
        self.state, self.free, self.begun = State(), threading.Event(), threading.Event()
        self.state.version = version = Version(predictor, Settings("", "", max_waiting_rows=4))
        version.batcher.predict, version.batcher.cost = self.predict, Cost(call=2.0, row=0.0)
        self.predictor = predictor

    def predict(self, table: Table) -> Prediction:
        self.begun.set()
        assert self.free.wait(60)
        answer: Prediction = self.predictor.predict(table)
        return answer


@pytest.fixture(scope="module")
def predictor(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("limits")
    there = churn.written(folder / "store")
    return load(folder / "copy", fetch(there.uri, there.digest, folder / "copy"))


@asynccontextmanager
async def requesting(busy: Busy) -> AsyncIterator[tuple[httpx.AsyncClient, "asyncio.Task[httpx.Response]"]]:
    """Yield a client, and a first request that the model is busy with; let the model go in the end."""
    transport = httpx.ASGITransport(application(busy.state))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        first = asyncio.create_task(client.post("/predict", json=[ROW]))
        assert await asyncio.to_thread(busy.begun.wait, 60)
        try:
            yield client, first
        finally:
            busy.free.set()
            assert (await first).status_code == 200


async def test_a_full_queue_is_answered_at_once_with_when_to_come_again(predictor: Any) -> None:
    busy = Busy(predictor)
    async with requesting(busy) as (client, _):
        second = asyncio.create_task(client.post("/predict", json=[ROW] * 4))
        while busy.state.served().batcher.waiting < 4:
            await asyncio.sleep(0)
        refused = await client.post("/predict", json=[ROW])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert refused.json()["type"] == "urn:assay:queue-full"
        assert "4 rows are waiting" in refused.json()["detail"]
    assert len((await second).json()["predictions"]) == 4


async def test_rows_whose_caller_has_given_up_are_not_computed(predictor: Any) -> None:
    """Envoy says in a header how long it waits."""
    busy = Busy(predictor)
    async with requesting(busy) as (client, _):
        headers = {"x-envoy-expected-rq-timeout-ms": "1"}
        late = asyncio.create_task(client.post("/predict", json=[ROW], headers=headers))
        while busy.state.served().batcher.waiting < 1:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
    answer = await late
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:assay:deadline")


def request(chunks: list[bytes], **headers: str) -> RequestReader:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks[:-1]]
    messages += [{"type": "http.request", "body": chunks[-1]}] if chunks else [{"type": "http.disconnect"}]
    waiting = iter(messages)

    async def receive() -> Any:
        return next(waiting)

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return RequestReader({"headers": named}, receive)


@pytest.mark.parametrize(
    ("chunks", "headers", "status"),
    [
        pytest.param([b"12345"], {}, None, id="as much as is allowed"),
        pytest.param([b"12", b"", b"345"], {}, None, id="in pieces"),
        pytest.param([b"123456"], {}, 413, id="too much"),
        pytest.param([b"123", b"456", b"789"], {}, 413, id="too much in pieces"),
        pytest.param([b"1"], {"content_length": "6"}, 413, id="too much announced"),
        pytest.param([b"1"], {"content_length": "many"}, None, id="a length that is none"),
        pytest.param([b"1"], {"content_encoding": "gzip"}, 415, id="compressed"),
    ],
)
async def test_a_body_is_read_up_to_its_limit(
    chunks: list[bytes], headers: dict[str, str], status: int | None
) -> None:
    if status is None:
        assert await request(chunks, **headers).body(5) == b"".join(chunks)
        return
    with pytest.raises(Problem) as refused:
        await request(chunks, **headers).body(5)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("value", "seconds"), [("1500", 1.5), ("0", None), ("-3", None), ("soon", None), ("", None)]
)
def test_patience_is_a_number_of_milliseconds_or_unknown(value: str, seconds: float | None) -> None:
    assert request([b""], **{"x-envoy-expected-rq-timeout-ms": value}).patience() == seconds
