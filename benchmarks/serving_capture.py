"""What counting rows for drift costs a predictor: CPU of one call of the capture, and of all rows it counts.

Run: `python benchmarks/serving_capture.py` (20 s). Compare with the CPU of a request in serving_peers.py.
"""

import time
from statistics import median

import numpy as np

from assay_artifact import Feature, Manifest, Prediction, Table
from assay_drift.reference import Answers, Rows, profile
from assay_serving.capture.config import CaptureConfig
from assay_serving.capture.counting import Capture
from assay_serving.metrics import Metrics

ROWS = 20_000
WORDS = [f"word {i}" for i in range(30)]


def table(numbers: int, texts: int, rows: int, seed: int) -> Table:
    """Return random rows."""
    rng = np.random.default_rng(seed)
    words = tuple(rng.choice(WORDS, rows).tolist() for _ in range(texts))
    return Table(rng.normal(size=(rows, numbers)), words)


def manifest(numbers: int, texts: int) -> Manifest:
    """Return a model of so many columns."""
    kinds = ["number"] * numbers + ["category"] * texts
    features = tuple(Feature(name=f"f{i}", type=kind) for i, kind in enumerate(kinds))  # type: ignore[arg-type]
    return Manifest(
        model="m",
        version="v",
        task="Classification",
        format="skops",
        file="f",
        features=features,
        classes=(0, 1),
    )


def answered(rows: int) -> Prediction:
    """Return random answers."""
    second = np.random.default_rng(1).random(rows)
    labels = np.where(second > 0.5, 1, 0).astype(object)
    return Prediction(labels, np.stack([1 - second, second], axis=1), None)


def cost(numbers: int, texts: int, size: int, share: float) -> float:
    """Return microseconds of CPU for each row."""
    described, known = manifest(numbers, texts), table(numbers, texts, 5000, 0)
    kinds = {feature.name: feature.type for feature in described.features}
    scores = np.random.default_rng(2).random(5000)
    class_answers = Answers([str(int(score > 0.5)) for score in scores], scores)
    made = profile(kinds, Rows(*known), class_answers, ("0", "1"), None)
    capture = Capture(made, described, CaptureConfig(sample=share), Metrics("n", "m", "v").captured)
    rows, answers = table(numbers, texts, size, 3), answered(size)
    start = time.process_time()
    for _ in range(ROWS // size):
        capture(rows, answers)
    capture.take()
    return 1e6 * (time.process_time() - start) / ROWS


def main() -> None:
    """Print the table."""
    print("CPU a row, us     1 row a request   100 rows a request")
    for numbers, texts in ((20, 0), (10, 10)):
        for share in (1.0, 0.1):
            found = [median(cost(numbers, texts, size, share) for _ in range(5)) for size in (1, 100)]
            what = f"{numbers} + {texts} columns, sample {share:g}"
            print(f"{what:28s} {found[0]:10.2f} {found[1]:18.2f}", flush=True)


if __name__ == "__main__":
    main()
