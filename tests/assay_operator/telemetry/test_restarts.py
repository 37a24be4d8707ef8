"""Counters that restart: with a real Prometheus whose target does, and over a month of restarts."""

import itertools
import json
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import debian
import numpy as np
import pytest

from assay_api import Metric, Ref
from assay_api.experiment_status import Counted
from assay_operator.decide.experiment_facts import ArmCounts
from assay_operator.decide.growth import Growth
from assay_operator.telemetry import Question
from assay_operator.telemetry.http import http
from assay_operator.telemetry.prometheus import Prometheus
from assay_stats import Moments, Peak, evaluate, primary_rule

ARMS = ("control", "boosted")
STEP = 40  # units of each arm between two scrapes; one in four orders
CONFIGURATION = """
global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
RAW = "sum by (arm) ({}_total)"
INCREASE = "sum by (arm) (increase({}_total[$elapsed]))"


class Shop:
    """A target that counts from zero whenever it is opened; each scrape finds some more."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.total = 0  # over all its lives, as scraped

    def open(self) -> None:
        shop, scrapes = self, itertools.count()

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                units = STEP * next(scrapes)
                shop.total += STEP if units else 0
                counts = {"units": units, "orders": units // 4}
                lines = [f'{name}_total{{arm="{arm}"}} {n}' for name, n in counts.items() for arm in ARMS]
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write("\n".join([*lines, ""]).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Page)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    shop.open()
    yield shop
    shop.close()


@pytest.fixture
def scraping(shop: Shop, tmp_path: Path) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the shop twice a second."""
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION.format(port=shop.port))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command = [
        str(debian.prometheus() / "prometheus"),
        *flags,
        f"--web.listen-address={url}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until(f"http://{url}", "vector(1)", 1)
        yield f"http://{url}"
        process.terminate()


def value(url: str, query: str) -> float:
    """Return the first series' newest value; -1 while there is none."""
    try:
        with urllib.request.urlopen(
            f"{url}/api/v1/query?query={urllib.parse.quote(query)}", timeout=5
        ) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:
        return -1.0
    return float(result[0]["value"][1]) if result else -1.0


def until(url: str, query: str, least: float) -> None:
    end = time.monotonic() + 60
    while value(url, query) < least:
        assert time.monotonic() < end, f"{query} does not come to {least}"
        time.sleep(0.1)


def metric(query: str) -> Metric:
    queries = {"count": query.format("units"), "sum": query.format("orders")}
    return Metric.model_validate({"name": "ordered", "source": "Prometheus", "prometheus": queries})


async def test_a_restart_of_the_target_loses_nothing_by_increase_and_is_noticed_in_raw_counters(
    shop: Shop, scraping: str
) -> None:
    start = datetime.now(UTC) - timedelta(seconds=5)
    counted: dict[str, tuple[Counted, ...]] = {RAW: (), INCREASE: ()}

    async def look(query: str) -> tuple[tuple[ArmCounts, ...], Any]:
        question = Question(Ref("team", "churn"), "mine", "uid-1", metric(query), ARMS, start)
        async with http() as client:
            found = await Prometheus(client, scraping).ask(question, datetime.now(UTC))
        growth = Growth((question.metric,), counted[query])
        arms, gaps = growth.checked(ArmCounts(a, "v", moments={"ordered": found[a]}) for a in ARMS)
        counted[query] = growth.after(arms)
        return arms, gaps

    until(scraping, 'units_total{arm="control"}', 10 * STEP)
    for query in (RAW, INCREASE):
        arms, gaps = await look(query)
        assert not gaps
        assert arms[0].moments["ordered"].n >= 9 * STEP
    shop.close()
    until(scraping, "1 - up", 1)
    shop.open()
    until(scraping, 'units_total{arm="control"}', 3 * STEP)
    arms, (gap,) = await look(RAW)
    assert (gap.metric, gap.reason) == ("ordered", "SourceReset")
    assert "units and had" in gap.message
    assert not arms[0].moments, "nothing is decided by what was counted anew"
    arms, gaps = await look(INCREASE)
    assert not gaps
    sums = arms[0].moments["ordered"]
    assert sums.n == pytest.approx(shop.total, rel=0.2), "what was counted before and since, extrapolated"
    assert sums.mean == pytest.approx(0.25, abs=0.02)
    until(scraping, 'units_total{arm="control"}', 16 * STEP)
    arms, gaps = await look(RAW)
    assert not gaps, "it has come to where it was"
    assert arms[0].moments["ordered"].n >= 16 * STEP


DAYS, LOOKS, UNITS, RATE, ALPHA, RUNS = 28, 8, 500, 0.2, 0.05, 300


def false_verdicts(*, held: bool) -> float:
    """Return the share of A/A runs that decide, of raw counters of a target that restarts every day."""
    rng, queries = np.random.default_rng(20261129), metric(RAW)
    rule = primary_rule("Proportion", alpha=ALPHA)
    decided = 0
    for _ in range(RUNS):
        events = rng.binomial(UNITS, RATE, (DAYS, LOOKS, 2)).cumsum(axis=1)
        units = UNITS * np.arange(1, LOOKS + 1)
        peak = Peak(0.0, 0.0)
        counted: tuple[Counted, ...] = ()
        for day, look in itertools.product(range(DAYS), range(LOOKS)):
            sums = [Moments.proportion(int(units[look]), int(events[day, look, a])) for a in (0, 1)]
            growth = Growth((queries,), counted)
            arms = [ArmCounts(a, "v", moments={"ordered": m}) for a, m in zip(ARMS, sums, strict=True)]
            kept, gaps = growth.checked(arms)
            if held and gaps:
                continue
            counted = growth.after(kept)
            evidence = evaluate(rule, sums[0], sums[1], 0.5, peak=peak)
            peak = evidence.peak
            if evidence.decided:
                decided += 1
                break
    return decided / RUNS


def test_a_month_of_daily_restarts_errs_no_more_often_than_alpha() -> None:
    """Without the hold each day is another chance to err."""
    bar = ALPHA + 3 * (ALPHA * (1 - ALPHA) / RUNS) ** 0.5
    assert false_verdicts(held=False) > bar
    assert false_verdicts(held=True) <= bar
