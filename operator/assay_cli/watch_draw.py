"""Small pictures made of letters: an interval on an axis, a ramp, a confidence sequence over time."""

from collections.abc import Callable, Sequence

from rich.text import Text

from assay_cli.watch_trail import Look

AXIS, ZERO, LEFT, RIGHT, BODY, POINT, BEYOND = "·", "┆", "├", "┤", "─", "●", "◀▶"
EFFECT, BAND, GOOD, BAD, DIM = "bold cyan", "cyan", "green", "red", "bright_black"


def interval(ends: tuple[float, float, float], scale: float, look: str = EFFECT, width: int = 31) -> Text:
    """Draw an interval (low, estimate, high) on an axis from -scale to +scale, zero in the middle.

    >>> interval((-0.05, 0.1, 0.15), scale=0.2, width=21).plain
    '········├─┆────●─┤···'
    """
    low, estimate, high = ends
    place = _placer(scale, width)
    line = [AXIS] * width
    start, end = place(low), place(high)
    line[start : end + 1] = [BODY] * (end - start + 1)
    line[start] = LEFT if low >= -scale else BEYOND[0]
    line[end] = RIGHT if high <= scale else BEYOND[1]
    line[width // 2] = ZERO
    if start != end:
        line[place(estimate)] = POINT
    drawn = Text("".join(line), style=DIM)
    drawn.stylize(look, start, end + 1)
    return drawn


def _placer(scale: float, width: int) -> Callable[[float], int]:
    def place(value: float) -> int:
        share = (min(max(value, -scale), scale) + scale) / (2 * scale)
        return round(share * (width - 1))

    return place


def style(low: float, high: float) -> str:
    """Green where all of an interval is above zero, red where all of it is below."""
    return GOOD if min(low, high) > 0 else BAD if max(low, high) < 0 else EFFECT


def ramp(percents: Sequence[int], step: int, *, over: bool = False) -> Text:
    """Draw the steps of a ramp and where it stands.

    >>> ramp([5, 20, 50], step=1).plain
    '● 5% ── ◉ 20% ── ○ 50%'
    """
    drawn = Text()
    for i, percent in enumerate(percents):
        mark, color = ("●", GOOD) if i < step else ("◉", EFFECT) if i == step else ("○", DIM)
        drawn.append(" ── " if i else "", DIM)
        drawn.append(f"{mark} {percent}%", DIM if over and i > step else color)
    return drawn


def sequence(looks: Sequence[Look], width: int, height: int = 9) -> list[Text]:
    """Draw the confidence sequence of the effect over time: the band narrows, and leaves zero or not.

    Time runs to the right, one column an equal part of it; each column shows the last look in its part.
    """
    if len(looks) < 2 or width < 12:  # noqa: PLR2004  nothing to see yet
        return []
    columns = _columns(looks, width - 8)
    top, bottom = _range(columns)
    rows = [_row(columns, r, height, (top, bottom)) for r in range(height)]
    zero = _level(0.0, height, (top, bottom))
    labels = {zero: "0", 0: f"{top:+.2f}", height - 1: f"{bottom:+.2f}"}
    return [Text(f"{labels.get(r, ''):>6} ", DIM).append_text(row) for r, row in enumerate(rows)]


def _columns(looks: Sequence[Look], width: int) -> list[Look]:
    start, end = looks[0].at, max(looks[-1].at, looks[0].at + 1)
    columns, i = [], 0
    for c in range(width):
        moment = start + (end - start) * (c + 1) / width
        while i + 1 < len(looks) and looks[i + 1].at <= moment:
            i += 1
        columns.append(looks[i])
    return columns


def _range(columns: Sequence[Look]) -> tuple[float, float]:
    """Return what to show: every estimate and zero, but of the wide first bands only a part."""
    reach = 3 * max(*(abs(look.estimate) for look in columns), 0.01)
    top = min(max(0.0, *(look.high for look in columns)), reach)
    bottom = max(min(0.0, *(look.low for look in columns)), -reach)
    return top or 0.01, bottom or -0.01


def _level(value: float, height: int, limits: tuple[float, float]) -> int:
    top, bottom = limits
    return round((top - min(max(value, bottom), top)) / (top - bottom) * (height - 1))


def _row(columns: Sequence[Look], row: int, height: int, limits: tuple[float, float]) -> Text:
    zero = _level(0.0, height, limits)
    drawn = Text()
    for look in columns:
        high, middle, low = (_level(v, height, limits) for v in (look.high, look.estimate, look.low))
        color = style(look.low, look.high)
        if row == middle:
            drawn.append("●", f"bold {color}")
        elif high <= row <= low:
            drawn.append("░" if row != zero else "▒", color)
        else:
            drawn.append("─" if row == zero else " ", DIM)
    return drawn
