"""The picture of `assay simulate`: how many experiments are decided after how much of the data."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_stats.simulation import Outcome


def draw(without: "Outcome", with_effect: "Outcome", alpha: float, path: Path) -> None:
    """Write the picture.

    Args:
        without: Experiments without a difference.
        with_effect: Experiments with the effect.
        alpha: The level to hold the first curve against.
        path: Where; the ending tells the format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - a second, for a picture only
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for outcome, word, colour in (
        (with_effect, "with the effect", "#1b7f5c"),
        (without, "no difference", "#c2410c"),
    ):
        parts = [100 * (k + 1) / len(outcome.curve) for k in range(len(outcome.curve))]
        axes.plot(parts, 100 * outcome.curve, label=word, color=colour, linewidth=2)
    axes.axhline(100 * alpha, color="#555555", linestyle=":", label=f"alpha {alpha:g}")
    axes.set(
        xlabel="units seen, % of the plan", ylabel="experiments decided, %", xlim=(0, 100), ylim=(0, 100)
    )
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=150)
