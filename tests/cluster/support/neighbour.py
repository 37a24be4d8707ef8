"""A Model of another namespace, in the middle of an Experiment: what happens elsewhere must not reach it."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from ads_client import EDS, Change, FollowingGateway
from api_objects import Body, Objects, until
from children import ROLLOUT, answer, champion, model

from assay_api.names import experiment_name, version_name

NAME = "steady"
FIRST, SECOND = version_name(NAME, 1), version_name(NAME, 2)
EXPERIMENT = experiment_name(SECOND, 2)
SETTLE_SECONDS = 120


@dataclass
class Neighbour:
    """The Model, with what it looked like when all was well.

    Attributes:
        route: Its routes in the gateway, as text.
        started: The part of its Experiment's status that a verdict or a restart of it would change.
        usual: Seconds that an edit took when nobody disturbed it.
    """

    objects: Objects
    gateway: FollowingGateway
    route: str = ""
    started: Body = field(default_factory=dict)
    usual: float = 0.0
    _counter: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def model(self) -> str:
        """Its name among all Models."""
        return f"{self.objects.namespace}/{NAME}"

    def settle(self) -> None:
        """Serve one version, start an Experiment with another one, and learn what is usual."""
        self.objects.create(model({"image": {"image": "steady:1"}, "rollout": ROLLOUT}, NAME))
        answer(self.objects, FIRST, "10.2.0.1")
        until(lambda: champion(self.objects, NAME) == FIRST, "the champion", SETTLE_SECONDS)
        self.objects.patch("Model", NAME, {"spec": {"image": {"image": "steady:2"}}})
        answer(self.objects, SECOND, "10.2.0.2")
        until(self._splits, "a running Experiment", SETTLE_SECONDS)
        until(lambda: self._is_programmed() and self.is_ready(), "a programmed split", SETTLE_SECONDS)
        assert self.gateway.endpoints(self.model)
        self.route = self.gateway.route(self.model)
        self.started = self.experiment()
        self.usual = max(self.edit() for _ in range(5))

    def edit(self, seconds: float = 30) -> float:
        """Edit something that changes no route; return the seconds until the status says it was observed."""
        begin = time.monotonic()
        change = {"spec": {"history": {"keep": 5 + next(self._counter) % 50}}}
        generation = self.objects.patch("Model", NAME, change)["metadata"]["generation"]
        until(
            lambda: self._status().get("observedGeneration", 0) >= generation,
            f"generation {generation} of {self.model} to be observed",
            seconds,
            pause=0.01,
        )
        return time.monotonic() - begin

    def move(self, seconds: float = 30) -> float:
        """Give the champion another pod; return the seconds until the gateway knows it."""
        address, begin = f"10.2.1.{next(self._counter) % 250 + 1}", time.monotonic()
        change = {"endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}
        self.objects.patch("EndpointSlice", f"{FIRST}-pods", change)
        until(
            lambda: address in str(self.gateway.endpoints(self.model)), f"{address} in the gateway", seconds
        )
        return time.monotonic() - begin

    def is_ready(self) -> bool:
        """Whether it says that it serves."""
        return self.objects.condition("Model", NAME, "Ready").get("status") == "True"

    def experiment(self) -> Body:
        """Return what of its Experiment's status must stay."""
        status = (self.objects.get("Experiment", EXPERIMENT) or {}).get("status", {})
        kept = {key: status.get(key) for key in ("phase", "startedAt", "decision", "step")}
        return kept | {key: status.get("state", {}).get(key) for key in ("salt", "table", "epoch")}

    def mark(self) -> int:
        """Return the number of changes that the gateway has seen so far."""
        return len(self.gateway.changes)

    def harm(self, since: int) -> list[Change]:
        """Return what became of its routes since that mark, beside the endpoints that moved."""
        changes = self.gateway.changes_of(self.model, since)
        return [change for change in changes if change.kind != EDS or not change.new]

    def _splits(self) -> bool:
        status = (self.objects.get("Experiment", EXPERIMENT) or {}).get("status", {})
        return bool(status.get("phase") == "Running" and status.get("state", {}).get("table"))

    def _is_programmed(self) -> bool:
        programmed = self.objects.condition("Experiment", EXPERIMENT, "Programmed").get("status") == "True"
        return programmed and SECOND in self.gateway.route(self.model)

    def _status(self) -> Body:
        return dict((self.objects.get("Model", NAME) or {}).get("status", {}))
