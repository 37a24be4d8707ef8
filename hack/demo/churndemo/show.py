"""The stage on the terminal: one live picture, or lines for a log."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live

from churndemo.picture import picture
from churndemo.stage import Stage


@contextlib.asynccontextmanager
async def shown(stage: Stage, console: Console) -> AsyncIterator[None]:
    """Draw the stage twice a second; where there is no terminal, write a line when something changes."""
    task = asyncio.create_task(_live(stage, console) if console.is_terminal else _lines(stage, console))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _live(stage: Stage, console: Console) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(picture(stage, console.width), refresh=True)
            await asyncio.sleep(0.5)


async def _lines(stage: Stage, console: Console) -> None:
    last = ""
    while True:
        if (line := headline(stage)) != last:
            console.print(f"[{time.time() - stage.began:5.0f} s] {line}", highlight=False, markup=False)
            last = line
        await asyncio.sleep(0.5)


def headline(stage: Stage) -> str:
    """Say in a line where the story stands."""
    chapter = next((c for c in stage.chapters if c.state in {"running", "failed"}), stage.chapters[-1])
    experiment = stage.observation.experiment
    if experiment is None:
        return chapter.title
    status = experiment.status
    waits = next((c.message for c in status.conditions if c.type == "Progressing"), "")
    step = f"step {status.step + 1} of {len(experiment.spec.ramp)}"
    return f"{chapter.title} | {experiment.metadata.name} {status.phase} {step} | {waits}"
