"""A whole training run over a large parquet file beside plain scikit-learn that learns the same.

Both read the same file, part the rows, cross-validate the same candidate over five folds, refit, measure on
the test rows and write the model; the Job also hashes its keys, checks the data, measures every metric with
intervals, converts and proves the artifact, and records its evidence. Each is a process of its own with one
thread, the imports counted.

Printed: CPU seconds, their ratio (bar 1.15), and the peak of resident memory over the size of the feature
columns (8 bytes a value): of the whole process, and beyond what it holds when all its libraries are imported
and no row is read (bar 3).

Run: `python benchmarks/training_scale.py --rows 1000000`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

COLUMNS = 20
CODE = """
import json, resource, sys, time
started = time.process_time()
{libraries}
with open("/proc/self/statm") as file:
    empty = int(file.read().split()[1]) * resource.getpagesize()
{body}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({{"cpu": time.process_time() - started, "peak": peak, "empty": empty, "found": found}}))
"""
OURS = """
from assay_training.__main__ import run
from assay_training.runtime.memory import give_back
give_back()
import assay_training.job.training, onnxruntime, skl2onnx
"""
JOB = """
found = run({"ASSAY_JOB": sys.argv[2]})["metrics"]["test"]["rocAuc"]
"""
THEIRS = """
import joblib, pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, cross_val_score, train_test_split
"""
PLAIN = """
rows = pandas.read_parquet(sys.argv[1])
x, y = rows.drop(columns=["key", "target"]), rows["target"]
x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, random_state=0)
model = HistGradientBoostingClassifier(
    learning_rate=0.1, max_iter=100, max_leaf_nodes=15, min_samples_leaf=20, l2_regularization=1e-3,
    early_stopping=False, random_state=0,
)
cross_val_score(model, x, y, cv=KFold(5), scoring="roc_auc")
found = float(roc_auc_score(test_y, model.fit(x, y).predict_proba(test_x)[:, 1]))
joblib.dump(model, sys.argv[1] + ".joblib")
"""


def data(path: Path, rows: int) -> None:
    """Twenty numbers, half of which matter."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, COLUMNS))
    score = numbers[:, : COLUMNS // 2] @ rng.normal(size=COLUMNS // 2) + rng.normal(0, 2, rows)
    frame = pd.DataFrame(numbers, columns=[f"x{number}" for number in range(COLUMNS)])
    frame.insert(0, "key", np.arange(rows))
    frame.assign(target=(score > 0).astype(int)).to_parquet(path)


def measured(libraries: str, body: str, *arguments: str) -> dict[str, float]:
    """CPU seconds and peak memory of a program of its own."""
    program = [sys.executable, "-c", CODE.format(libraries=libraries, body=body), *arguments]
    found: dict[str, float] = json.loads(subprocess.check_output(program, text=True).splitlines()[-1])
    return found


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        data(path, rows)
        job = {
            "model": "scale", "namespace": "bench", "version": "scale-1", "number": 1,
            "task": "Classification", "store": f"file://{folder}/store", "path": "scale-1",
            "training": {
                "data": {"uri": str(path), "target": "target", "key": "key"},
                "algorithms": ["HistGradientBoosting"], "tuning": {"trials": 1},
            },
        }  # fmt: skip
        plain = measured(THEIRS, PLAIN, str(path))
        ours = measured(OURS, JOB, str(path), json.dumps(job))
    size = rows * COLUMNS * 8
    for name, found in (("scikit-learn", plain), ("assay_training", ours)):
        beyond = (found["peak"] - found["empty"]) / size
        summary = (
            f"rocAuc {found['found']:.4f}, peak {found['peak'] / size:.1f}x the columns, {beyond:.1f}x beyond"
        )
        print(f"{name:15} {found['cpu']:8.1f} s CPU, {summary}")
    print(f"{'ratio':15} {ours['cpu'] / plain['cpu']:8.2f}")


if __name__ == "__main__":
    main()
