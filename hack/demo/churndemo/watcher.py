"""Looks at the Model and its Experiments twice a second, remembers, and wakes who waits."""

import asyncio
import time
from collections.abc import Callable
from typing import IO

from kubernetes.aio.client import ApiException
from pydantic import BaseModel

from assay_api import Experiment, Ref
from assay_cli.watch import looks
from assay_cli.watch_source import Cluster
from assay_cli.watch_trail import candidates_percent, look_at, remember
from assay_cli.watch_view import Observation
from churndemo.stage import Stage, Step

EVERY = 0.5  # seconds
ERRORS = "errors"


class StoryError(RuntimeError):
    """The story did not go on as it is told."""


class Record(BaseModel):
    """One line of recording.jsonl: what the API server said at a moment."""

    at: float
    observation: Observation


class Watcher:
    """Fills the stage; `until` waits for something to become true."""

    def __init__(self, stage: Stage, ref: Ref, record: IO[str]) -> None:
        self._stage = stage
        self._ref = ref
        self._record = record
        self._looked = asyncio.Condition()
        self._fault = ""

    async def watch(self, cluster: Cluster) -> None:
        """Look until cancelled."""
        try:
            async for observation in looks(cluster, self._ref, EVERY):
                await self.show(observation)
                self._stage.sample()
        except ApiException as error:
            self._fault = f"the API server says {error.status} {error.reason}"
            async with self._looked:
                self._looked.notify_all()

    async def show(self, observation: Observation) -> None:
        """Take note of what is seen now, and wake who waits for it."""
        if observation != self._stage.observation:
            self._remember(observation)
        async with self._looked:
            self._looked.notify_all()

    def _remember(self, observation: Observation) -> None:
        self._stage.observation, at = observation, time.time()
        self._record.write(Record(at=at, observation=observation).model_dump_json(by_alias=True) + "\n")
        self._record.flush()
        for experiment in observation.experiments:
            self._stage.trail.add(experiment, at)
            self._note_percent(experiment, at)
            self._note_guard(experiment, at)
            if experiment.status.decision:
                self._stage.ends.setdefault(experiment.metadata.uid, at)

    def _note_percent(self, experiment: Experiment, at: float) -> None:
        steps = self._stage.steps.setdefault(experiment.metadata.uid, [])
        percent = candidates_percent(experiment)
        if percent and (not steps or steps[-1].percent != percent):
            steps.append(Step(at, percent))

    def _note_guard(self, experiment: Experiment, at: float) -> None:
        for line in experiment.status.analysis:
            if line.metric == ERRORS and line.estimate is not None:
                looks = self._stage.guards.setdefault(experiment.metadata.uid, [])
                remember(looks, look_at(experiment, line, at))

    async def until(self, what: str, holds: Callable[[Observation], bool], seconds: float) -> Observation:
        """Return as soon as `holds` says yes to what is seen.

        Raises:
            StoryError: It did not in time, or cannot be seen; the message says what was awaited.
        """
        try:
            async with asyncio.timeout(seconds), self._looked:
                await self._looked.wait_for(lambda: bool(self._fault) or holds(self._stage.observation))
        except TimeoutError:
            raise StoryError(f"waited {seconds:.0f} s in vain for: {what}") from None
        if self._fault:
            raise StoryError(f"cannot see {what}: {self._fault}")
        return self._stage.observation
