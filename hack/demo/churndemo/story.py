"""The story in three chapters: a first model, a better one that wins, a broken one that nobody notices."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import yaml

from assay_api import Experiment
from assay_api.names import predictor_name, version_name
from assay_cli.watch_view import Observation
from churndemo.client import Client
from churndemo.customers import Customer
from churndemo.demo_environment import EXAMPLE, NAMESPACE, DemoEnvironment
from churndemo.kubectl import KubectlError
from churndemo.stage import Chapter, Stage
from churndemo.users import Users
from churndemo.watcher import StoryError, Watcher

MODEL = "churn"
TRAINING, EXPERIMENT, SCALE_DOWN = 180.0, 300.0, 90.0  # seconds of patience
TITLES = (
    "a logistic regression is trained, passes its gate and serves",
    "gradient boosting is trained and meets it: 5, 20, 50 percent; it wins",
    "a Bento that fails on some customers is rolled back; no user notices",
)


def chapters() -> list[Chapter]:
    """Return the chapters before anything has happened."""
    return [Chapter(title) for title in TITLES]


class Story:
    """Tells the three chapters one after the other and notes which promises were kept."""

    def __init__(self, environment: DemoEnvironment, stage: Stage, watcher: Watcher, bento: str) -> None:
        self._bento = bento
        self._environment = environment
        self._stage = stage
        self._watcher = watcher

    async def first(self, doors: AsyncExitStack, customer: Customer) -> Client:
        """Chapter 1; ends when a prediction has come through the endpoint Service; return who asked for
        it."""
        async with self._chapter(0) as chapter:
            champion = version_name(MODEL, 1)
            observation = await self._watcher.until(
                f"{champion} to be champion", lambda s: serves(s, champion), TRAINING
            )
            target = await doors.enter_async_context(self._environment.endpoint(MODEL))
            client = await doors.enter_async_context(Client(target))
            served = await first_answer(client, customer)
            self._stage.promise(
                "version 1 passed its gate", gates_passed(observation, champion), gates(observation, champion)
            )
            took = f"after {chapter.seconds():.0f} s, a prediction in {served * 1e3:.0f} ms"
            chapter.note = f"{champion} answers {took}"
        return client

    async def better(self, users: Users) -> None:
        """Chapter 2; ends when version 2 is champion."""
        async with self._chapter(1) as chapter:
            users.begin()
            await self.apply(2)
            candidate = version_name(MODEL, 2)
            experiment = await self._decided(candidate)
            await self._watcher.until(f"{candidate} to be champion", lambda s: serves(s, candidate), 30)
            chapter.note = self._judge(experiment, "Promote", "version 2 is promoted")
            observation = self._stage.observation
            self._stage.promise(
                "version 2 passed its gates",
                gates_passed(observation, candidate),
                gates(observation, candidate),
            )
            steps = [step.percent for step in self._stage.steps.get(experiment.metadata.uid, [])]
            planned = [float(step.percent) for step in experiment.spec.ramp]
            self._stage.promise("the ramp went 5, 20, 50", steps == planned, f"{steps}")

    async def faulty(self, users: Users) -> None:
        """Chapter 3; ends when version 3 is rolled back and version 2 serves everyone."""
        async with self._chapter(2) as chapter:
            users.begin()
            await self.apply(3)
            candidate, champion = version_name(MODEL, 3), version_name(MODEL, 2)
            experiment = await self._decided(candidate)
            chapter.note = self._judge(experiment, "RollBack", "version 3 is rolled back")
            decision = experiment.status.decision
            reason = decision.reason if decision else "none"
            self._stage.promise("by its guardrail", reason == "GuardrailBreached", reason)
            observation = self._stage.observation
            self._stage.promise(
                "version 2 still serves",
                serves(observation, champion),
                f"champion {champion_of(observation)}",
            )
            await self._retired(version_name(MODEL, 1))

    def users_are_well(self) -> None:
        """Note what users saw in all of it."""
        totals = self._stage.ledger.totals()
        failures = f"{totals.failed} of {totals.requests} requests failed"
        complaint = self._stage.ledger.complaint()
        self._stage.promise(
            "no user saw a failure", totals.failed == 0 < totals.requests, f"{failures} {complaint}".strip()
        )

    async def apply(self, number: int) -> None:
        """Apply a version of the Model, as a person would."""
        model = yaml.safe_load(manifest(number).read_text())
        if image := model["spec"].get("image"):
            image["image"] = self._bento
        await self._environment.kubectl("apply", "-f", "-", given=json.dumps(model))

    @asynccontextmanager
    async def _chapter(self, number: int) -> AsyncIterator[Chapter]:
        chapter = self._stage.chapters[number]
        chapter.state, chapter.began = "running", time.time()
        try:
            if number == 0:
                await self.apply(1)
            yield chapter
            chapter.state = "done"
        except (StoryError, KubectlError) as error:
            chapter.state, chapter.note = "failed", str(error)
            raise
        finally:
            chapter.ended = time.time()

    async def _decided(self, candidate: str) -> Experiment:
        def over(observation: Observation) -> bool:
            found = experiment_of(observation, candidate)
            return bool(found and found.status.decision)

        await self._watcher.until(
            f"an Experiment of {candidate}", lambda s: experiment_of(s, candidate) is not None, TRAINING
        )
        observation = await self._watcher.until(f"a verdict on {candidate}", over, EXPERIMENT)
        found = experiment_of(observation, candidate)
        assert found is not None
        return found

    def _judge(self, experiment: Experiment, verdict: str, promise: str) -> str:
        """Note whether the verdict is the wanted one, and whether units kept their arms until then."""
        decision = experiment.status.decision
        assert decision is not None
        self._stage.promise(promise, decision.verdict == verdict, f"{decision.verdict}: {decision.message}")
        moves = self._stage.ledger.moves_until(decision.at.timestamp())
        units = len(self._stage.ledger.arms)
        self._stage.promise(
            "every unit kept its arm", not moves and units > 0, f"{len(moves)} of {units} changed it"
        )
        return f"{decision.verdict}: {decision.message}"

    async def _retired(self, version: str) -> None:
        """Wait until the old champion, kept warm for a while, is scaled to zero or gone."""
        until = time.monotonic() + SCALE_DOWN
        while (left := await self._replicas(version)) and time.monotonic() < until:  # noqa: ASYNC110  it polls
            await asyncio.sleep(0.5)
        self._stage.promise(f"{version} is scaled down after its window", left == 0, f"{left} replicas")

    async def _replicas(self, version: str) -> int:
        try:
            found = await self._environment.kubectl.get("deployment", predictor_name(version), NAMESPACE)
        except KubectlError as error:
            if "NotFound" in str(error):
                return 0
            raise
        return int(found["spec"]["replicas"])


async def first_answer(client: Client, customer: Customer, patience: float = 15) -> float:
    """Ask until a prediction comes; return how many seconds it took to answer.

    Raises:
        StoryError: None came.
    """
    until = time.monotonic() + patience
    while (answer := await client.ask(customer.id, customer.row)).failed:
        if time.monotonic() > until:
            raise StoryError(f"the endpoint gives no prediction: {answer.status} {answer.error}")
        await asyncio.sleep(0.1)
    return answer.seconds


def manifest(number: int) -> Path:
    """Return the file of a version of the Model."""
    return EXAMPLE / f"model-v{number}.yaml"


def serves(observation: Observation, version: str) -> bool:
    """Tell whether this version is the champion."""
    return champion_of(observation) == version


def champion_of(observation: Observation) -> str:
    """Return the champion's name; empty if there is none."""
    return observation.model.status.champion if observation.model else ""


def experiment_of(observation: Observation, candidate: str) -> Experiment | None:
    """Return the Experiment in which this version is a candidate."""
    mine = (e for e in observation.experiments if any(arm.version == candidate for arm in e.spec.candidates))
    return next(mine, None)


def gates_passed(observation: Observation, version: str) -> bool:
    """Tell whether the version has gates and passed all."""
    found = [gate for v in observation.versions if v.metadata.name == version for gate in v.status.gates]
    return bool(found) and all(gate.passed for gate in found)


def gates(observation: Observation, version: str) -> str:
    """Return what the version's gates said."""
    return "; ".join(
        g.message for v in observation.versions if v.metadata.name == version for g in v.status.gates
    )
