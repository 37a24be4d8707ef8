"""The demo's own judgement, fed with what a real cluster said in a whole run (data/recording.jsonl.gz)."""

import asyncio
import gzip
import io
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from churndemo.client import Answer, Client, Target
from churndemo.customers import Customer
from churndemo.demo_environment import DemoEnvironment
from churndemo.kubectl import KubectlError
from churndemo.picture import picture, summary
from churndemo.plot import plot
from churndemo.show import headline
from churndemo.stage import Stage
from churndemo.story import Story, chapters, first_answer
from churndemo.users import Users
from churndemo.watcher import Record, StoryError, Watcher
from rich.console import Console

from assay_api import Ref
from assay_cli.watch_view import Observation

ANNA = Customer("c-1", {"age": 42}, "yes")


@pytest.fixture(scope="module")
def recording() -> list[Observation]:
    with gzip.open(Path(__file__).parent / "data/recording.jsonl.gz", "rt") as lines:
        return [Record.model_validate_json(line).observation for line in lines]


def answer(status: int = 200, arm: str = "control", at: float = 0.0) -> Answer:
    return Answer(ANNA.id, at, 0.01, status, arm, "churn-1", "r-1", {}, "broken" if status >= 500 else "")


class FakeEnvironment:
    """No cluster; kubectl does nothing but is asked for replicas, and every prediction comes."""

    def __init__(self, replicas: int = 0, refuses: str = "") -> None:
        self.kubectl, self.replicas, self.refuses = self, replicas, refuses
        self.applied: list[str] = []

    async def __call__(self, *_: str, given: str = "") -> str:
        if self.refuses:
            raise KubectlError(self.refuses)
        self.applied.append(given)
        return ""

    async def get(self, *_: str) -> dict[str, Any]:
        return {"spec": {"replicas": self.replicas}}

    @asynccontextmanager
    async def endpoint(self, _: str) -> AsyncIterator[Target]:
        yield Target("http://127.0.0.1:1")


class People:
    """Users who were seen in one arm since the last Experiment began, or in two."""

    def __init__(self, stage: Stage, *arms: str) -> None:
        self.stage, self.arms = stage, arms

    def begin(self) -> None:
        self.stage.ledger.begin()
        for arm in self.arms:
            self.stage.ledger.add(answer(arm=arm))


async def tell(
    observations: list[Observation], environment: FakeEnvironment, arms: tuple[str, ...] = ("control",)
) -> Stage:
    """All three chapters while the recording is played."""
    stage = Stage(chapters())
    watcher = Watcher(stage, Ref("demo", "churn"), io.StringIO())
    story = Story(cast(DemoEnvironment, environment), stage, watcher, "shop/rules:7")
    people = cast(Users, People(stage, *arms))

    async def play() -> None:
        for one in observations:
            await watcher.show(one)
            await asyncio.sleep(0.001)

    playing = asyncio.create_task(play())
    try:
        async with AsyncExitStack() as doors:
            await story.first(doors, ANNA)
            await story.better(people)
            await story.faulty(people)
    finally:
        await playing
        story.users_are_well()
    return stage


@pytest.fixture(autouse=True)
def _predictions_come(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: object) -> float:
        return 0.01

    monkeypatch.setattr("churndemo.story.first_answer", at_once)
    monkeypatch.setattr("churndemo.story.SCALE_DOWN", 0.1)
    for patience in ("TRAINING", "EXPERIMENT"):
        monkeypatch.setattr(f"churndemo.story.{patience}", 2.0)


async def test_the_real_run_is_judged_as_told(recording: list[Observation]) -> None:
    environment = FakeEnvironment()
    stage = await tell(recording, environment)
    assert stage.kept, [claim for claim in stage.promises if not claim.held]
    assert [chapter.state for chapter in stage.chapters] == ["done"] * 3
    assert len(environment.applied) == 3
    assert "shop/rules:7" in environment.applied[2]


def broken(stage: Stage) -> list[str]:
    return [claim.text for claim in stage.promises if not claim.held]


async def test_one_failed_request_spoils_it(
    recording: list[Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = People.begin
    monkeypatch.setattr(People, "begin", lambda self: (begin(self), self.stage.ledger.add(answer(503)))[0])
    stage = await tell(recording, FakeEnvironment())
    assert broken(stage) == ["no user saw a failure"]
    assert not stage.kept


async def test_one_unit_that_changes_its_arm_spoils_it(recording: list[Observation]) -> None:
    stage = await tell(recording, FakeEnvironment(), ("control", "candidate"))
    assert set(broken(stage)) == {"every unit kept its arm"}


async def test_that_nobody_was_enrolled_is_no_proof_of_stickiness(recording: list[Observation]) -> None:
    assert "every unit kept its arm" in broken(await tell(recording, FakeEnvironment(), ()))


async def test_an_old_champion_that_stays_up_spoils_it(recording: list[Observation]) -> None:
    assert broken(await tell(recording, FakeEnvironment(replicas=1))) == [
        "churn-1 is scaled down after its window"
    ]


async def test_another_verdict_than_the_told_one_spoils_it(recording: list[Observation]) -> None:
    def concluded(observation: Observation) -> Observation:
        return observation._replace(experiments=tuple(map(_concluded, observation.experiments)))

    stage = await tell([concluded(observation) for observation in recording], FakeEnvironment())
    assert broken(stage) == ["version 2 is promoted", "version 3 is rolled back"]


def _concluded(experiment: Any) -> Any:
    decision = experiment.status.decision
    if decision is None:
        return experiment
    other = decision.model_copy(update={"verdict": "Conclude"})
    return experiment.model_copy(update={"status": experiment.status.model_copy(update={"decision": other})})


async def test_a_story_that_stops_half_way_says_what_it_waited_for(
    recording: list[Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churndemo.story.EXPERIMENT", 0.2)
    running = [
        observation
        for observation in recording
        if not any(e.status.decision for e in observation.experiments)
    ]
    with pytest.raises(StoryError, match="a verdict on churn-2"):
        await tell(running, FakeEnvironment())


async def test_what_kubectl_refuses_fails_the_chapter(recording: list[Observation]) -> None:
    with pytest.raises(KubectlError, match=r"spec\.training"):
        await tell(recording, FakeEnvironment(refuses="spec.training: unknown field"))


async def test_an_endpoint_that_never_answers_is_named() -> None:
    async with Client(Target("http://127.0.0.1:1")) as client:
        with pytest.raises(StoryError, match="gives no prediction"):
            await first_answer(client, ANNA, patience=0.1)


async def test_picture_plot_and_lines_can_be_drawn_at_every_moment(
    recording: list[Observation], tmp_path: Path
) -> None:
    stage = Stage(chapters())
    watcher = Watcher(stage, Ref("demo", "churn"), io.StringIO())
    console = Console(width=110, file=io.StringIO(), force_terminal=False)
    for observation in recording:
        await watcher.show(observation)
        stage.ledger.add(answer())
        stage.sample()
        console.print(picture(stage, console.width))
        assert headline(stage)
    console.print(summary(stage))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, see above
    for words in (
        "Promoted",
        "RolledBack",
        "GuardrailBreached",
        "● 5% ── ◉ 20% ── ○ 50%",
        "rocAuc 0.84",
    ):
        assert words in text
    plot(stage, tmp_path / "effect.png")
    assert (tmp_path / "effect.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_nothing_is_a_plot(tmp_path: Path) -> None:
    stage = Stage(chapters())
    for _ in range(9):  # looks at a cluster in which nobody was answered
        stage.sample()
        time.sleep(0.001)
    plot(stage, tmp_path / "effect.png")
    assert (tmp_path / "effect.png").stat().st_size > 1000
