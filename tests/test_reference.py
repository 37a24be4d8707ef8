"""docs/reference is what the code says, and says all of it."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "hack"))

from reference import pages, table  # noqa: E402  found by the line above

FOLDER = ROOT / "docs" / "reference"
PACKAGES = [path for part in ("operator", "services") for path in sorted((ROOT / part).rglob("*.py"))]
DEFINED = re.compile(r'(?:Counter|Gauge|Histogram|Summary|Info|Enum|_counter)\(\s*"(assay_\w+)"')
KINDS = ("models", "experiments", "modelversions")


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row of a page's tables, without heads."""
    lines = [line for line in (FOLDER / page).read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_page_is_the_generated_one() -> None:
    assert {page: page.read_text() for page in pages.rendered()} == pages.rendered()


def test_there_is_no_page_that_nothing_makes() -> None:
    assert sorted(FOLDER.glob("*.md")) == sorted(pages.rendered())


def test_every_metric_that_the_code_defines_is_documented() -> None:
    defined = {name for path in PACKAGES for name in DEFINED.findall(path.read_text())}
    documented = {cells[0].strip("`").removesuffix("_total") for cells in rows("metrics.md")}
    assert len(defined) > 50
    assert defined == documented


@pytest.mark.parametrize("page", ["metrics.md", *(f"{kind}.md" for kind in KINDS)])
def test_whatever_is_documented_has_a_meaning(page: str) -> None:
    silent = [cells[0] for cells in rows(page) if not cells[-1]]
    assert silent == []


def test_every_route_has_a_meaning_and_stands_once() -> None:
    text = (FOLDER / "http.md").read_text()
    routes = re.findall(r"^\| ([A-Z]+) \| (`\S+`) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert len(routes) > 25
    assert [(method, path) for method, path, _, meaning in routes if not meaning.strip()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_crd_is_documented(kind: str) -> None:
    names = set(re.findall(r"^ {14,}(\w+):$", (ROOT / "crds" / f"{kind}.yaml").read_text(), re.MULTILINE))
    fields = names - {"properties", "items", "additionalProperties", "default", "required", "enum"}
    words = set(re.findall(r"\w+", " ".join(cells[0] for cells in rows(f"{kind}.md"))))
    assert {name for name in fields if not name.startswith("x_")} - words - {"validations"} == set()


def test_every_command_is_documented() -> None:
    from assay_cli.main import parser  # noqa: PLC0415  it imports all of them

    usage = re.search(r"\{([\w,]+)\}", parser().format_usage().replace("\n", ""))
    sections = re.findall(r"^## assay (\w+)$", (FOLDER / "commands.md").read_text(), re.MULTILINE)
    assert len(sections) > 10
    assert usage is None or sorted(usage[1].split(",")) == sorted(sections)


def test_a_cell_stays_a_cell() -> None:
    assert table.table(["a"], [["x|y\nz"]]).splitlines()[-1] == r"| x\|y z |"
