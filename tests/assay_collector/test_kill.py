"""kill -9 at random moments under load: what was acknowledged is there once, and sums equal a recount.

ASSAY_KILL_ROUNDS asks for more rounds than the few of a normal run.
"""

import itertools
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from assay_collector.attribution import history

Make = Callable[..., dict[str, Any]]

ROUNDS = int(os.environ.get("ASSAY_KILL_ROUNDS", "3"))
UNITS = 200
BATCH = 40
CLIENTS = 4


class Sender(threading.Thread):
    """Sends batches and repeats each until it is acknowledged, as a client should."""

    def __init__(self, process: Any, path: str, role: str, batches: Any, stop: threading.Event) -> None:
        super().__init__()
        self._process, self._path, self._role, self._batches, self._halt = process, path, role, batches, stop
        self.acknowledged: list[dict[str, Any]] = []
        self.repeated = 0

    def run(self) -> None:
        with self._process.client(self._role) as client:
            for batch in self._batches:
                while not self._sent(client, batch):
                    self.repeated += 1
                    time.sleep(0.02)
                self.acknowledged += batch
                if self._halt.is_set():
                    return

    def _sent(self, client: httpx.Client, batch: list[dict[str, Any]]) -> bool:
        try:
            return client.post(self._path, json=batch).is_success
        except httpx.TransportError:
            return False


def outcome_batches(client: int, outcome: Make) -> Any:
    dice = random.Random(client)
    for number in itertools.count():
        yield [
            outcome(
                f"{client}-{number}-{each}",
                f"user-{dice.randrange(UNITS)}",
                dice.choice(("retained", "paid")),
                dice.randrange(40) / 4,
            )
            for each in range(BATCH)
        ]


def exposure_batches(exposure: Make) -> Any:
    for number in itertools.count():
        batch = []
        for each in range(BATCH):
            unit = (number * BATCH + each) % UNITS
            status = 503 if unit % 10 == 0 and number > UNITS // BATCH else 200
            batch.append(exposure(f"{number}-{each}", f"user-{unit}", arm(unit), status=status))
        yield batch


def arm(unit: int) -> str:
    return ("control", "boosted")[unit % 2]


def recount(reported: list[dict[str, Any]], exposed: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Count one arm from the raw input, in the plainest way."""
    units = [f"user-{unit}" for unit in range(UNITS) if arm(unit) == name]
    paid: dict[str, float] = {}
    retained = {unit: 0.0 for unit in units}
    for outcome in reported:
        if outcome["metric"] == "paid":
            paid[outcome["unit"]] = paid.get(outcome["unit"], 0) + outcome["value"]
        elif outcome["value"]:
            retained[outcome["unit"]] = 1.0
    mine = [record for record in exposed if record["arm"] == name]
    failed = {record["unit"] for record in mine if record["status"] == 503}
    values = {
        "retained": [retained[unit] for unit in units],
        "paid": [paid[unit] for unit in units if unit in paid],
        "errors": [1.0] * len(failed) + [0.0] * (len(units) - len(failed)),
    }
    metrics = {metric: (len(v), sum(v), sum(each * each for each in v)) for metric, v in values.items()}
    return {"units": len(units), "exposures": len(mine), "metrics": metrics}


def counted(summary: dict[str, Any], name: str) -> dict[str, Any]:
    found = summary["arms"][name]
    metrics = {m: (c["n"], c["sum"], c["sumsq"]) for m, c in found["metrics"].items()}
    return {"units": found["units"], "exposures": found["exposures"], "metrics": metrics}


def test_kill_9_of_the_collector_under_load_loses_nothing_and_counts_nothing_twice(
    make_collector: Callable[..., Any], experiment: dict[str, Any], exposure: Make, outcome: Make
) -> None:
    process = make_collector()
    process.start()
    with process.client("operator") as client:
        client.put("/v1/experiments/exp-1", json=experiment).raise_for_status()
    dice = random.Random(9)
    stop = threading.Event()
    telling = [
        Sender(process, "/v1/outcomes", "application", outcome_batches(n, outcome), stop)
        for n in range(CLIENTS)
    ]
    seeing = Sender(process, "/v1/exposures", "gateway", exposure_batches(exposure), stop)
    for sender in (*telling, seeing):
        sender.start()
    for _ in range(ROUNDS):
        time.sleep(dice.uniform(0.1, 1.5))  # the point is to hit any moment
        process.kill()
        process.start()
    time.sleep(0.5)
    stop.set()
    for sender in (*telling, seeing):
        sender.join(60)
        assert not sender.is_alive()
    reported = [each for sender in telling for each in sender.acknowledged]
    assert sum(sender.repeated for sender in (*telling, seeing)) >= ROUNDS, "no kill hit anybody"
    found = process.summary()
    for name in ("control", "boosted"):
        assert counted(found, name) == recount(reported, seeing.acknowledged, name)
    assert process.terminate() == 0
    assert stored(process) == (len(reported), "ok")


def stored(process: Any) -> tuple[int, str]:
    connection = sqlite3.connect(process.tokens.parent / "collector.db")
    states = [history.read(state) for (state,) in connection.execute("SELECT state FROM histories")]
    spilled = connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]
    check = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return spilled + sum(len(state.outcomes) for state in states), check
