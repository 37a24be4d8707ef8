"""Metrics of a real Prometheus, and of servers that answer as a broken one does."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assay_api import Metric, Ref
from assay_operator.telemetry import NoData, Question, SourceError, SourceUnavailable
from assay_operator.telemetry.http import http
from assay_operator.telemetry.prometheus import Prometheus
from assay_stats import Moments

UNITS = "sum by (arm) (units_total)"
ORDERS = "sum by (arm) (orders_total)"
SQUARES: dict[str, Any] = {
    "sum": "sum by (arm) (value_total)",
    "sumOfSquares": "sum by (arm) (squares_total)",
}


def question(kind: str = "Proportion", minutes: float = 5, **queries: Any) -> Question:
    texts = {"count": UNITS, "sum": ORDERS} | queries
    metric = Metric.model_validate(
        {"name": "orders", "type": kind, "source": "Prometheus", "prometheus": texts}
    )
    start = datetime.now(UTC) - timedelta(minutes=minutes)
    return Question(Ref("team", "churn"), "churn-2-g2", "uid-1", metric, ("control", "boosted"), start)


@asynccontextmanager
async def asking(url: str, patience: float = 10) -> AsyncIterator[Callable[[Question], Awaitable[Any]]]:
    async with http() as client:
        source = Prometheus(client, url, patience)
        yield lambda one: source.ask(one, datetime.now(UTC))


async def test_each_arm_has_its_units_and_events(prometheus: str) -> None:
    async with asking(prometheus) as ask:
        found = await ask(question())
    assert found == {"control": Moments(4000, 400, 400), "boosted": Moments(4100, 492, 492)}


async def test_a_mean_has_its_squares(prometheus: str) -> None:
    async with asking(prometheus) as ask:
        found = await ask(question("Mean", **SQUARES))
    assert {arm: (m.n, m.mean, m.variance) for arm, m in found.items()} == {
        "control": (4000, 2.0, 8000 / 3999),
        "boosted": (4100, 2.1, pytest.approx((26000 - 8610 * 2.1) / 4099)),
    }


async def test_a_mean_of_shifted_values_is_that_of_the_values(prometheus: str) -> None:
    async with asking(prometheus) as ask:
        found = await ask(question("Mean", shift=1e12, **SQUARES))
    assert found["control"].mean == 1e12 + 2
    assert found["control"].variance == pytest.approx(8000 / 3999)


async def test_a_mean_in_which_the_spread_is_lost_is_refused_with_the_next_step(prometheus: str) -> None:
    """Values of a billion that differ by one: their squares are no numbers any more that a float can tell."""
    lost: dict[str, Any] = {
        "sum": f"1e9 * {UNITS} + {ORDERS}",
        "sumOfSquares": f"1e18 * {UNITS} + 2e9 * {ORDERS}",
    }
    async with asking(prometheus) as ask:
        with pytest.raises(SourceError, match=r"spread is lost beside a mean of 1e\+09: let"):
            await ask(question("Mean", **lost))


async def test_what_grew_since_the_start_is_asked_with_elapsed(prometheus: str) -> None:
    """Extrapolated by Prometheus, so no integers, and about the half of it."""
    grown = "sum by (arm) (increase({}[$elapsed]))"
    async with asking(prometheus) as ask:
        found = await ask(question(count=grown.format("units_total"), sum=grown.format("orders_total")))
    assert found["control"].n == pytest.approx(2000, rel=0.1)
    assert found["control"].total == pytest.approx(200, rel=0.1)


LOST = 'sum by (arm) (orders_total{arm="boosted"})'
NEVER = "{} / 0 * 0"


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        pytest.param({"sum": LOST}, "sum has no number of arm control", id="a series of the sum"),
        pytest.param({"sum": NEVER.format(ORDERS)}, "sum has no number of arm", id="a sum that is NaN"),
        pytest.param({"sum": f"{ORDERS} / 0"}, "sum has no number of arm", id="an infinite sum"),
        pytest.param({"sum": f"-{ORDERS} / 0"}, "sum has no number of arm", id="less than any number"),
        pytest.param(
            {"count": 'sum by (arm) (units_total{arm="boosted"})'},
            "Prometheus has no data of arm control",
            id="a series of the count",
        ),
        pytest.param(
            {"kind": "Mean", **SQUARES, "sumOfSquares": 'sum by (arm) (squares_total{arm="boosted"})'},
            "sumOfSquares has no number of arm control",
            id="a series of the squares",
        ),
    ],
)
async def test_what_is_lost_is_missing_and_never_zero(
    prometheus: str, queries: dict[str, Any], words: str
) -> None:
    async with asking(prometheus) as ask:
        with pytest.raises(NoData, match=words):
            await ask(question(**queries))


async def test_no_event_may_be_said_to_be_zero(prometheus: str) -> None:
    async with asking(prometheus) as ask:
        rare = await ask(question(sum=f"{LOST} or 0 * ({UNITS})"))
    assert rare == {"control": Moments(4000, 0, 0), "boosted": Moments(4100, 492, 492)}


async def test_an_arm_that_was_dropped_need_not_have_numbers_any_more(prometheus: str) -> None:
    one = dataclasses.replace(question(sum=LOST), dropped=frozenset({"control"}))
    async with asking(prometheus) as ask:
        assert await ask(one) == {"boosted": Moments(4100, 492, 492)}


@pytest.mark.parametrize(
    "count",
    [
        pytest.param("nothing_total", id="no series"),
        pytest.param(f"{UNITS} / 0 * 0", id="not a number"),
        pytest.param(f"{UNITS} / 0", id="infinite"),
        pytest.param("0 * " + UNITS, id="zero units"),
        pytest.param('label_replace(units_total{arm="control"}, "arm", "other", "", "")', id="other arms"),
        pytest.param('units_total{model="$namespace/$model", arm=~".+$"}', id="a regular expression"),
    ],
)
async def test_nothing_is_no_data_and_no_failure(prometheus: str, count: str) -> None:
    async with asking(prometheus) as ask:
        with pytest.raises(NoData, match="Prometheus has no data of any arm") as nothing:
            await ask(question(count=count, sum=f"0 * {ORDERS}"))
    assert nothing.value.found == {}


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        pytest.param({"count": "sum by (arm) ("}, "parse error", id="no PromQL"),
        pytest.param({"count": "sum(units_total)"}, "no label arm", id="not told apart"),
        pytest.param(
            {"count": 'label_replace(units_total, "arm", "control", "", "")'},
            "Prometheus says 422|two series",
            id="an arm twice",
        ),
        pytest.param({"count": "units_total[5m]"}, "is a matrix", id="a range"),
        pytest.param({"count": "1"}, "is a scalar", id="a number"),
        pytest.param({"sum": "2 * " + UNITS}, "is not a number of events", id="more events than units"),
    ],
)
async def test_a_query_that_says_nothing_of_arms_is_told_why(
    prometheus: str, queries: dict[str, Any], words: str
) -> None:
    async with asking(prometheus) as ask:
        with pytest.raises(SourceUnavailable, match=words):
            await ask(question(**queries))


@asynccontextmanager
async def broken(status: int, body: bytes, *, hangs: bool = False) -> AsyncIterator[str]:
    """Serve one answer to whoever asks."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if hangs:
            await reader.read()  # until the other side gives up
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


OK = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        pytest.param(502, b"bad gateway", "says 502, and nothing", id="a proxy's word"),
        pytest.param(503, b'{"status":"error","error":"overloaded"}', "503: overloaded", id="overloaded"),
        pytest.param(200, b"", "says 200, and nothing", id="nothing"),
        pytest.param(200, b"[]", "says 200, and nothing", id="something else"),
        pytest.param(200, b" " * (5 << 20), "more than 4 MiB", id="far too much"),
        pytest.param(
            200, OK[:-1] + b', "warnings": ["store 2 is away"]}', "warns: store 2 is away", id="a part of it"
        ),
        pytest.param(404, b"{}", "says 404", id="no Prometheus at all"),
    ],
)
async def test_a_server_that_fails_is_no_data_of_anybody(status: int, body: bytes, words: str) -> None:
    async with broken(status, body) as url, asking(url) as ask:
        with pytest.raises(SourceUnavailable, match=words):
            await ask(question())


async def test_a_server_that_hangs_is_given_up() -> None:
    async with broken(200, OK, hangs=True) as url, asking(url, patience=0.2) as ask:
        with pytest.raises(SourceUnavailable, match="does not answer: no answer within"):
            await ask(question())


async def test_a_server_that_is_away_is_said_to_be() -> None:
    async with broken(200, OK) as url:
        pass
    async with asking(url) as ask:
        with pytest.raises(SourceUnavailable, match="does not answer: ConnectionRefusedError"):
            await ask(question())


async def test_without_a_server_the_metric_says_what_to_set() -> None:
    async with asking("") as ask:
        with pytest.raises(SourceUnavailable, match=r"sources\.prometheus\.url"):
            await ask(question())
