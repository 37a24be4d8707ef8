"""What is written about a reason: its meaning, how bad it is, and what a person does about it."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["Info", "Notice", "Warning"]
EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True)
class Documented:
    """A reason as its readers know it.

    Attributes:
        meaning: One sentence: what is so.
        severity: Info is progress, Notice is worth knowing, Warning is a fault that somebody has to look at.
        action: What a person does about it; "Nothing." where there is nothing to do.
        event: Whether a change to it is posted as an Event.
        places: Where it appears, as `Kind.Condition`, or `Kind.field` of the status. Reconciling and Stalled
            carry the reason of Progressing, and are not listed.
    """

    meaning: str
    severity: Severity
    action: str
    event: bool
    places: tuple[str, ...]

    @property
    def event_type(self) -> EventType:
        """The type of its Event."""
        return "Warning" if self.severity == "Warning" else "Normal"


NOTHING_TO_DO = "Nothing."


def info(places: tuple[str, ...], meaning: str, action: str = NOTHING_TO_DO) -> Documented:
    """Return a reason that is progress, or all well: no Event."""
    return Documented(meaning, "Info", action, event=False, places=places)


def notice(places: tuple[str, ...], meaning: str, action: str = NOTHING_TO_DO) -> Documented:
    """Return a reason that a person should know of: an Event of type Normal."""
    return Documented(meaning, "Notice", action, event=True, places=places)


def warning(places: tuple[str, ...], meaning: str, action: str) -> Documented:
    """Return a reason that a person should look into: an Event of type Warning."""
    return Documented(meaning, "Warning", action, event=True, places=places)


def on(kind: str, *names: str) -> tuple[str, ...]:
    """Return places on one kind.

    >>> on("Model", "Ready", "Degraded")
    ('Model.Ready', 'Model.Degraded')
    """
    return tuple(f"{kind}.{name}" for name in names)
