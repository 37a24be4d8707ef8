"""What a pod says of itself is a tenant's: whatever it is, it is asked again, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from assay_api import Ref
from assay_operator.decide.training import trained
from assay_operator.decide.version_conditions import pods_not_ready
from assay_operator.decide.workload import PodState
from assay_operator.telemetry.http import http, pod_url
from assay_operator.telemetry.studies import PORT, StudiesReader, progress_of

DEEP = b"[" * 4000


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(DEEP), DEEP))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def worker(**parts: object) -> PodState:
    known = {"name": "churn-1-train-0-x", "version": "churn-1", "address": "127.0.0.1", "ready": True}
    known |= {
        "termination_message": "",
        "terminating": False,
        "finished": False,
        "trouble": "",
        "sidecar_image_id": "",
    }
    return PodState(**(known | parts))  # type: ignore[arg-type]


async def test_an_answer_that_is_nested_too_deeply_says_nothing_and_the_pod_is_asked_again(port: int) -> None:
    async with http() as session:
        reader = StudiesReader(session, lambda _: None, port)
        ref = Ref("team", "churn")
        assert reader.read("churn-1", ref, (worker(),)) == {}
        (known,) = reader._known.values()
        assert known.task is not None
        await known.task
        assert known.task is None, "the question is over"
        assert known.due > 0, "and there will be another one"
        await reader.close()


URLS = {"10.0.0.7": "http://10.0.0.7:9904/progress", "fd00::7": "http://[fd00::7]:9904/progress"}


@pytest.mark.parametrize("address", URLS)
def test_a_worker_of_either_family_is_asked(address: str) -> None:
    assert pod_url(address, PORT, "/progress") == URLS[address]


async def test_nobody_at_an_ipv6_address_says_nothing() -> None:
    async with http() as session:
        assert await progress_of(session, "::1", 9) == {}


def test_last_words_that_are_nested_too_deeply_are_none() -> None:
    words = DEEP.decode()
    ended = trained(finished=True, job_message="exit 1", last_words=(words,), trouble="", raw_study={})
    assert (ended.ready, ended.message) == ("False", "training ended without a report: exit 1")
    assert pods_not_ready((worker(termination_message=words),)).message == "pods are starting"
