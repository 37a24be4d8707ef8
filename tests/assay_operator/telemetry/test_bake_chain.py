"""From a line of the gateway's log to the operator: shipper, collector and reader, each as it runs."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from operator_process import collector
from servers import free_port

from assay_api import Ref
from assay_assign import SLOWER_THAN
from assay_operator.decide.bake import Watch
from assay_operator.telemetry import Answers, BakeReading
from assay_operator.telemetry.bakes import BakesReader
from assay_operator.telemetry.collector import Collector
from assay_operator.telemetry.http import http

CHURN = Ref("team", "churn")
BAD_SECONDS = 3.0  # in which everything failed: what it takes, see test_bake.py
EVERY = 0.02  # seconds between two requests
PROMPT = 2.0  # seconds from the end of the third bad second until the operator knows


class Chain(NamedTuple):
    """A log, and the operator's reader at the other end."""

    log: Path
    reader: BakesReader
    woken: asyncio.Event


def line(version: str, status: int, at: float) -> bytes:
    record = {"ts": f"{at:.6f}", "id": f"{version}-{at}", "namespace": "team", "model": "churn",
            "assigned": "none", "version": version, "status": status, "dur_us": 1000}  # fmt: skip
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    log, counts = tmp_path / "exposures.jsonl", collector(tmp_path)
    tokens = Path(counts.environment["ASSAY_TOKENS_DIR"])
    counts.start()
    environment = os.environ | {
        "ASSAY_EXPOSURES": str(log),
        "ASSAY_COLLECTOR_URL": f"http://127.0.0.1:{counts.port}",
        "ASSAY_TOKEN_FILE": str(tokens / "gateway"),
        "ASSAY_UNIT_KEY_FILE": counts.environment["ASSAY_UNIT_KEY_FILE"],
        "ASSAY_LISTEN_PORT": str(free_port()),
    }
    shipper = await asyncio.create_subprocess_exec(sys.executable, "-m", "assay_shipper", env=environment)
    woken = asyncio.Event()
    operator = (tokens / "operator").read_text().strip()
    try:
        async with http() as session:
            outcomes = Collector(session, f"http://127.0.0.1:{counts.port}", lambda: operator)
            reader = BakesReader(outcomes, lambda _: woken.set())
            yield Chain(log, reader, woken)
            await reader.close()
    finally:
        shipper.terminate()
        await shipper.wait()
        counts.stop()


async def known(chain: Chain, watch: Watch, enough: Callable[[BakeReading], bool]) -> BakeReading:
    """Wait until the operator was woken by enough."""
    async with asyncio.timeout(60):
        while not enough(reading := chain.reader.read(CHURN, watch)):
            await chain.woken.wait()
            chain.woken.clear()
    return reading


def has_level(reading: BakeReading) -> bool:
    return reading.former is not None and reading.former.seconds > 0


def has_failed(reading: BakeReading) -> bool:
    return reading.champion is not None and reading.champion.errors >= BAD_SECONDS


async def test_a_champion_that_fails_is_known_to_fail_within_two_seconds(chain: Chain) -> None:
    now = time.time()
    chain.log.write_bytes(b"".join(line("churn-1", 200, now - 60 + at) for at in range(55)))
    since = datetime.fromtimestamp(now - 2, UTC)
    watch = Watch("churn-2", "churn-1", since, since + timedelta(minutes=10))
    level = (await known(chain, watch, has_level)).former  # all of them run now
    assert level == Answers(55, 0.0, dict.fromkeys(SLOWER_THAN, 0.0))
    heard = asyncio.create_task(known(chain, watch, has_failed))
    began = time.time()
    with chain.log.open("ab", buffering=0) as log:
        while not heard.done():
            log.write(line("churn-2", 500, time.time()))
            await asyncio.sleep(EVERY)
    late, shown = time.time(), (await heard).champion
    assert shown is not None
    assert shown.errors == shown.seconds, "every answer failed, in every second"
    third = int(began) + shown.seconds  # the end of the last second that counts
    print(f"known {late - began:.2f} s after the first failure, {late - third:.2f} s after the last second")
    assert late - third <= PROMPT
    assert shown.seconds <= 3 + PROMPT, "no more seconds than it takes"
