"""The batcher alone, with a model that waits for a word."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assay_artifact import Prediction, Table
from assay_serving.inference.batcher import Cost, Limits, MicroBatcher
from assay_serving.problems import Problem

SLOW = Cost(call=1.0, row=0.0)
CHEAP = Cost(call=1e-6, row=0.0)
LATER = time.monotonic() + 3600


def table(*numbers: float) -> Table:
    return Table(np.array(numbers, dtype=float).reshape(-1, 1), ())


class Model:
    """Doubles numbers and refuses negative ones; `gate` holds it back."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.entered = threading.Event()

    def __call__(self, rows: Table) -> Prediction:
        self.calls.append(len(rows))
        self.entered.set()
        assert self.gate.wait(10)
        if (rows.numbers < 0).any():
            raise ValueError("negative")
        return Prediction(None, None, rows.numbers[:, 0] * 2)


@pytest.fixture
def model() -> Model:
    return Model()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def values(answers: list[Any]) -> list[Any]:
    return [np.asarray(a.values).tolist() if isinstance(a, Prediction) else type(a).__name__ for a in answers]


async def busy(batcher: MicroBatcher, model: Model) -> asyncio.Task[Prediction]:
    """Let the model work on one row."""
    first = asyncio.create_task(batcher(table(0), LATER))
    await until(model.entered.is_set)
    return first


async def test_who_comes_while_the_model_is_busy_leaves_together(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits())
    first = await busy(batcher, model)
    others = [asyncio.create_task(batcher(table(i), LATER)) for i in range(1, 50)]
    await until(lambda: batcher.waiting == 49)
    model.gate.set()
    assert values(await asyncio.gather(first, *others)) == [[2.0 * i] for i in range(50)]
    assert model.calls == [1, 49]


async def test_a_bad_row_costs_only_its_own_caller(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits())
    first = await busy(batcher, model)
    others = [asyncio.create_task(batcher(table(i), LATER)) for i in (1, -1, 3)]
    await until(lambda: batcher.waiting == 3)
    model.gate.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert values(answers) == [[0.0], [2.0], "ValueError", [6.0]]


async def test_a_full_queue_says_when_to_come_again(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits(waiting=2))
    first = await busy(batcher, model)
    others = [asyncio.create_task(batcher(table(1), LATER)) for _ in range(3)]
    answers = asyncio.gather(first, *others, return_exceptions=True)
    await until(others[2].done)
    model.gate.set()
    assert values(await answers) == [[0.0], [2.0], [2.0], "Problem"]
    problem = others[2].exception()
    assert isinstance(problem, Problem)
    assert (problem.status, int(problem.headers["retry-after"])) == (429, 1)
    assert batcher.waiting == 0


async def test_a_caller_that_left_is_not_computed(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits())
    first = await busy(batcher, model)
    gone, stays = (asyncio.create_task(batcher(table(i), LATER)) for i in (1, 2))
    await until(lambda: batcher.waiting == 2)
    gone.cancel()
    model.gate.set()
    assert values(await asyncio.gather(first, stays)) == [[0.0], [4.0]]
    assert model.calls == [1, 1]
    assert batcher.waiting == 0


async def test_a_row_whose_deadline_passed_is_not_computed(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits())
    first = await busy(batcher, model)
    late = asyncio.create_task(batcher(table(1), time.monotonic() - 1))
    await until(lambda: batcher.waiting == 1)
    model.gate.set()
    with pytest.raises(Problem, match="deadline"):
        await late
    await first
    assert model.calls == [1]


async def test_a_small_request_overtakes_the_rest_of_a_large_one(model: Model) -> None:
    batcher = MicroBatcher(model, SLOW, Limits(rows=8, share=4))
    done: list[str] = []
    first = await busy(batcher, model)

    async def ask(name: str, rows: Table) -> None:
        answer = await batcher(rows, LATER)
        np.testing.assert_array_equal(answer.values, rows.numbers[:, 0] * 2)
        done.append(name)

    large = asyncio.create_task(ask("large", table(*range(40))))
    await until(lambda: batcher.waiting == 40)
    small = [asyncio.create_task(ask("small", table(i))) for i in range(4)]
    await until(lambda: batcher.waiting == 44)
    model.gate.set()
    await asyncio.gather(first, large, *small)
    assert done == ["small"] * 4 + ["large"]
    assert max(model.calls) == 8


async def test_a_cheap_model_runs_on_the_loop(model: Model) -> None:
    model.gate.set()
    threads = []

    def noted(rows: Table) -> Prediction:
        threads.append(threading.current_thread())
        return model(rows)

    batcher = MicroBatcher(noted, CHEAP, Limits())
    await asyncio.gather(*(batcher(table(i), LATER) for i in range(5)))
    assert set(threads) == {threading.main_thread()}
    assert model.calls == [5]
