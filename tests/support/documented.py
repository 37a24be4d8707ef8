"""What a reader may copy: the files under examples/, and the objects in the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
KINDS = ("Model", "Experiment")
NOT_LITERAL = {"docs/design.md"}  # shows alternatives side by side


class Source(NamedTuple):
    """A text that a reader may apply: a whole file, or one block of a page.

    Attributes:
        name: The path from the root of the repository, of a block with its number.
        objects: All objects in it.
    """

    name: str
    objects: tuple[dict[str, Any], ...]

    @property
    def ours(self) -> tuple[dict[str, Any], ...]:
        """The Models and Experiments in it."""
        return tuple(body for body in self.objects if body.get("kind") in KINDS)


def sources() -> Iterator[Source]:
    """Every file and every block that has a Model or an Experiment."""
    for path in (*ROOT.glob("docs/**/*.md"), ROOT / "README.md", *ROOT.glob("examples/**/*.yaml")):
        name = str(path.relative_to(ROOT))
        for number, text in enumerate(_texts(path) if name not in NOT_LITERAL else ()):
            objects = tuple(body for body in yaml.safe_load_all(text) if isinstance(body, dict))
            source = Source(f"{name}-{number}" if path.suffix == ".md" else name, objects)
            if source.ours:
                yield source


def _texts(path: Path) -> list[str]:
    text = path.read_text()
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if path.suffix == ".md" else [text]
