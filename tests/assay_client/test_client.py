"""Both clients through the same stories: acknowledged, repeated under the same ids, given up, refused."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import free_port

import assay_client
from assay_client import AsyncClient, Client, Counts, Outcome, Rejected, Unavailable
from assay_outbox import backoff


class Collector:
    """Answers what it is told to, then 200."""

    def __init__(self) -> None:
        self.script: list[httpx.Response | Exception] = []
        self.records: list[list[dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = request.content
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.records.append([json.loads(line) for line in body.splitlines()])
        answer = (
            self.script.pop(0)
            if self.script
            else httpx.Response(200, json={"accepted": len(self.records[-1])})
        )
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setattr(backoff, "SHORTEST", 0.001)
    return Collector()


async def sync_send(collector: Collector, outcomes: list[Outcome], patience: float = 5) -> Counts:
    with Client("http://c", "t", patience=patience, transport=httpx.MockTransport(collector)) as client:
        return client.send(outcomes)


async def async_send(collector: Collector, outcomes: list[Outcome], patience: float = 5) -> Counts:
    async with AsyncClient(
        "http://c", "t", patience=patience, transport=httpx.MockTransport(collector)
    ) as client:
        return await client.send(outcomes)


Send = Callable[..., Awaitable[Counts]]
both = pytest.mark.parametrize("send", [sync_send, async_send], ids=["sync", "async"])


def outcomes(number: int) -> list[Outcome]:
    return [Outcome("demo/churn", f"user-{each}", "retained") for each in range(number)]


@both
async def test_outcomes_go_in_batches_and_come_back_as_counts(send: Send, collector: Collector) -> None:
    assert await send(collector, outcomes(1_200)) == Counts(accepted=1_200)
    assert [len(batch) for batch in collector.records] == [500, 500, 200]


@both
async def test_what_is_not_acknowledged_is_sent_again_under_the_same_ids(
    send: Send, collector: Collector
) -> None:
    collector.script = [
        httpx.Response(503),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429),
    ]
    assert (await send(collector, outcomes(3))).accepted == 3
    assert len(collector.records) == 5
    assert all(batch == collector.records[0] for batch in collector.records)


@both
async def test_a_refusal_is_final_and_says_why(send: Send, collector: Collector) -> None:
    collector.script = [
        httpx.Response(200, json={"accepted": 500}),
        httpx.Response(422, json={"detail": "record 0: field value: is no number"}),
    ]
    everything = outcomes(1_100)
    with pytest.raises(Rejected, match="field value") as caught:
        await send(collector, everything)
    assert len(collector.records) == 2
    assert caught.value.outcomes == everything[500:]


@both
async def test_out_of_patience_it_hands_back_what_is_left(send: Send, collector: Collector) -> None:
    collector.script = [
        httpx.Response(200, json={"accepted": 500}),
        *(httpx.Response(503) for _ in range(10_000)),
    ]
    everything = outcomes(700)
    with pytest.raises(Unavailable) as caught:
        await send(collector, everything, patience=0.05)
    assert caught.value.outcomes == everything[500:]


async def test_added_outcomes_are_gathered_until_a_batch_is_full_or_the_client_closes(
    collector: Collector,
) -> None:
    with Client("http://c", "t", transport=httpx.MockTransport(collector)) as client:
        for outcome in outcomes(501):
            client.add(outcome)
        assert [len(batch) for batch in collector.records] == [500]
    async with AsyncClient("http://c", "t", transport=httpx.MockTransport(collector)) as other:
        await other.add(outcomes(1)[0])
    assert [len(batch) for batch in collector.records] == [500, 1, 1]


def test_gathered_outcomes_stay_when_a_flush_fails(collector: Collector) -> None:
    client = Client("http://c", "t", patience=0, transport=httpx.MockTransport(collector))
    client.add(outcomes(1)[0])
    collector.script = [httpx.Response(503)]
    with pytest.raises(Unavailable):
        client.flush()
    assert client.flush() == Counts(accepted=1)
    client.close()


def test_the_token_goes_along_and_new_words_in_the_answer_do_no_harm() -> None:
    def check(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        return httpx.Response(200, json={"accepted": 1, "something": "new"})

    with Client("http://c", "secret", transport=httpx.MockTransport(check)) as client:
        assert client.send(outcomes(1)) == Counts(accepted=1)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of a collector, a process of its own, whose tokens are in `tmp_path`."""
    for role in ("operator", "application"):
        (tmp_path / role).write_text(f"{role}-token\n")
    (tmp_path / "key").write_bytes(b"a key for tests")
    port = free_port()
    settings = {
        "ASSAY_TOKENS_DIR": str(tmp_path),
        "ASSAY_UNIT_KEY_FILE": str(tmp_path / "key"),
        "ASSAY_DATABASE_URL": f"sqlite:///{tmp_path}/collector.db",
        "ASSAY_LISTEN_HOST": "127.0.0.1",
        "ASSAY_LISTEN_PORT": str(port),
    }
    with subprocess.Popen([sys.executable, "-m", "assay_collector"], env=os.environ | settings) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


EXPERIMENT = {
    "namespace": "demo",
    "name": "e",
    "model": "churn",
    "arms": ["control", "boosted"],
    "table": "control:0-5000,boosted:5000-10000",
    "metrics": [{"name": "retained", "type": "Proportion"}],
}


def declare(url: str) -> None:
    headers = {"Authorization": "Bearer operator-token"}
    answer = httpx.put(f"{url}/v1/experiments/exp-1", json=EXPERIMENT, headers=headers, timeout=30)
    answer.raise_for_status()


async def test_a_real_collector_is_reported_to_while_it_starts_and_while_its_token_changes(
    served: str, tmp_path: Path
) -> None:
    """No attempt is lost, and a second report of the same is known by its ids."""
    token = tmp_path / "application"
    reports, ours = outcomes(700), tmp_path / "mounted"
    ours.write_text(token.read_text())
    with Client(served, ours.read_text, patience=60) as client:
        assert client.send(reports).unknown == 700  # nobody has declared the Experiment
        await asyncio.to_thread(declare, served)
        assert client.send(reports) == Counts(accepted=700, orphans=700)
        token.write_text("another-token\n")
        async with AsyncClient(served, ours.read_text, patience=60) as other:
            late = asyncio.create_task(other.send(outcomes(3)))
            done, _ = await asyncio.wait({late}, timeout=0.5)
            assert not done, "the old token is refused, and it tries again"
            ours.write_text("another-token\n")
            assert (await late).accepted == 3
        assert client.send(reports).duplicates == 700
    with Client(served, "wrong") as stranger, pytest.raises(Rejected, match="401"):
        stranger.send(reports)


def test_the_public_names() -> None:
    assert sorted(assay_client.__all__) == [
        "AsyncClient",
        "Client",
        "Counts",
        "Outcome",
        "Rejected",
        "Unavailable",
    ]
