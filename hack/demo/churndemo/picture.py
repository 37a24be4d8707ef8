"""The one live picture of the demo: the story, the Model and its Experiment, and what users see."""

import time

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assay_cli.watch_draw import BAD, DIM, GOOD
from assay_cli.watch_view import now, view
from churndemo.stage import Chapter, Stage

MARKS = {"waiting": ("○", DIM), "running": ("◉", "bold cyan"), "done": ("✓", GOOD), "failed": ("✗", BAD)}


def picture(stage: Stage, width: int = 100) -> RenderableType:
    """Draw everything as it is now."""
    return Group(_story(stage), view(stage.observation, stage.trail, now(), width), traffic(stage))


def _story(stage: Stage) -> Panel:
    table = Table.grid(padding=(0, 1))
    for number, chapter in enumerate(stage.chapters, 1):
        table.add_row(*_chapter(number, chapter))
    took = f"{time.time() - stage.began:.0f} s"
    return Panel(
        table, title="Assay: ship it when the evidence says so", subtitle=took, subtitle_align="right"
    )


def _chapter(number: int, chapter: Chapter) -> tuple[Text, str, Text, Text]:
    mark, style = MARKS[chapter.state]
    words = Text(chapter.title)
    if chapter.note:
        words.append(f"\n{chapter.note}", GOOD if chapter.state == "done" else BAD)
    took = f"{chapter.seconds():.0f} s" if chapter.began else ""
    return Text(mark, style=style), f"{number}", words, Text(took, style=DIM)


def traffic(stage: Stage) -> Text:
    """Say in a line what users see."""
    totals = stage.ledger.totals()
    line = Text("users  ", style=DIM)
    line.append(f"{totals.requests:,} requests", "bold").append(", ")
    line.append(f"{totals.failed:,} failed", BAD if totals.failed else GOOD)
    line.append(
        f"   {rate(stage):.0f}/s   p50 {totals.p50 * 1e3:.0f} ms   p99 {totals.p99 * 1e3:.0f} ms", DIM
    )
    return line


def rate(stage: Stage, span: int = 10) -> float:
    """Return requests a second over the last samples."""
    recent = stage.samples[-span:]
    if len(recent) < 2 or recent[-1].at == recent[0].at:  # noqa: PLR2004  a rate needs two
        return 0.0
    return (recent[-1].requests - recent[0].requests) / (recent[-1].at - recent[0].at)


def summary(stage: Stage) -> RenderableType:
    """Draw which promises were kept."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for promise in stage.promises:
        mark, style = ("✓", GOOD) if promise.held else ("✗", BAD)
        table.add_row(Text(mark, style=style), promise.text, Text(promise.detail, style=DIM))
    for chapter in stage.chapters:
        if chapter.state != "done":
            table.add_row(Text("✗", style=BAD), chapter.title, Text(chapter.note or chapter.state, style=BAD))
    verdict = Text("all of it ended as told", GOOD) if stage.kept else Text("it did not end as told", BAD)
    return Panel(Group(table, traffic(stage), verdict), title="summary", title_align="left")
