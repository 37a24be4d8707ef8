"""Pages for people can be compared line by line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 120
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
MAPS = ("docs/design.md", "CONTRIBUTING.md")  # they say in which file a behaviour is


def too_long(page: Path) -> Iterator[str]:
    """Yield lines that could be broken and are not; tables and code cannot."""
    code = False
    for line in page.read_text().splitlines():
        code ^= line.lstrip().startswith("```")
        text = line.lstrip("-*> ")
        whole = code or text.startswith(("|", "```", "![")) or not re.search(r"\S\s+\S", text[:LONGEST])
        if len(line) > LONGEST and not whole:
            yield line


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in PAGES])
def test_lines_are_short(page: str) -> None:
    assert not list(too_long(ROOT / page))


@pytest.mark.parametrize("page", MAPS)
def test_files_that_are_named_exist(page: str) -> None:
    roots = ("operator", "services", "hack", "tests", "examples", "benchmarks")
    files = [f"/{path.relative_to(ROOT)}" for root in roots for path in (ROOT / root).rglob("*.py")]
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / page).read_text()))
    assert len(named) > 5
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()
