"""Pages for people can be compared line by line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 120
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LONG_STILL = {"docs/concepts.md", "docs/gateway.md", "docs/statistics.md"}  # none is added


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
    found = list(too_long(ROOT / page))
    assert bool(found) == (page in LONG_STILL), found
