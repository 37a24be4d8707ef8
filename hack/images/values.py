"""Pure: the values that tell the chart which images to run."""

from collections.abc import Iterable

from .store import Built


def render(images: Iterable[Built]) -> str:
    """A values file for Helm: `images.<name>.{repository,tag}`."""
    lines = ["images:"]
    for built in images:
        lines += [
            f"  {built.image.name}:",
            f"    repository: {built.image.repository}",
            f'    tag: "{built.tag}"',
        ]
    return "\n".join(lines) + "\n"
