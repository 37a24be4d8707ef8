"""Every generated page and its text."""

from pathlib import Path

from assay_api import Experiment, Model, ModelVersion
from reference.commands import commands
from reference.fields import fields
from reference.metrics import metrics
from reference.reasons import reasons
from reference.routes import routes

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def rendered() -> dict[Path, str]:
    """Return the text of each page, by its path."""
    pages = {
        "models.md": fields(Model),
        "experiments.md": fields(Experiment),
        "modelversions.md": fields(ModelVersion),
        "reasons.md": reasons(),
        "metrics.md": metrics(),
        "http.md": routes(),
        "commands.md": commands(),
    }
    return {FOLDER / name: text for name, text in pages.items()}
