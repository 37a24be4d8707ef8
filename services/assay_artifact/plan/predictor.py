"""A plan as a predictor, and as a file."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_artifact.manifest import Manifest
from assay_artifact.plan.encoding import Encoding, Lookup, Numbers
from assay_artifact.plan.scoring import Linear, Link, Trees, linked
from assay_artifact.prediction import Decision, Prediction
from assay_artifact.table import Columns, Floats, Table, from_columns

MODELS: dict[str, type[Linear] | type[Trees]] = {"linear": Linear, "trees": Trees}
PARTS: dict[str, type[Numbers] | type[Lookup]] = {"numbers": Numbers, "lookup": Lookup}


@dataclass(frozen=True)
class Plan:
    """What a fitted pipeline computes."""

    encoding: Encoding
    model: Linear | Trees
    link: Link

    def __call__(self, table: Table) -> Floats:
        """Return probabilities, (rows, classes), or values, (rows, 1)."""
        return linked(self.model(self.encoding(table)), self.link)


class PlanPredictor:
    """Evaluates a plan."""

    def __init__(self, plan: Plan, manifest: Manifest) -> None:
        """Wrap a plan."""
        self.plan, self.manifest = plan, manifest
        self.decision = Decision(manifest) if manifest.task == "Classification" else None

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows."""
        table = rows if isinstance(rows, Table) else from_columns(rows, self.manifest.features)
        if np.isinf(table.numbers).any():
            raise ValueError("Input contains infinity")
        answer = self.plan(table)
        return self.decision(answer) if self.decision else Prediction(None, None, answer[:, 0])


def to_bytes(plan: Plan) -> bytes:
    """Return the plan as an npz file: equal plans have equal bytes."""
    arrays: dict[str, Any] = {"constant": plan.encoding.constant}
    header = {
        "link": plan.link,
        "parts": [_taken(part, f"part{i}", arrays) for i, part in enumerate(plan.encoding.parts)],
        "model": _taken(plan.model, "model", arrays),
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def read(path: Path, manifest: Manifest) -> PlanPredictor:
    """Read a plan; pickled arrays are refused."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: _wide(file[name]) for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    parts = tuple(
        PARTS[part["kind"]](**_given(part, f"part{i}", arrays)) for i, part in enumerate(header["parts"])
    )
    model = MODELS[header["model"]["kind"]](**_given(header["model"], "model", arrays))
    return PlanPredictor(Plan(Encoding(arrays["constant"], parts), model, header["link"]), manifest)


def _taken(value: Any, name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put the arrays of a value aside; return the rest of it."""
    own = {key: item for key, item in vars(value).items() if isinstance(item, np.ndarray)}
    arrays.update({f"{name}.{key}": _narrow(item) for key, item in own.items()})
    plain = {key: item for key, item in vars(value).items() if not isinstance(item, np.ndarray)}
    return {"kind": type(value).__name__.lower(), **plain}


def _given(header: dict[str, Any], name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    plain = {key: item for key, item in header.items() if key != "kind"}
    prefix = f"{name}."
    return plain | {key[len(prefix) :]: item for key, item in arrays.items() if key.startswith(prefix)}


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Indices take half the room in the file."""
    return array.astype(np.int32) if array.dtype.kind == "i" else array


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.intp) if array.dtype.kind == "i" else array
