"""A fitted pipeline becomes an artifact folder, which is opened again before anybody may use it.

Drafts are loaded by the serving code in a scratch folder; only what answers there as the pipeline does is
written to the store, where it is fetched and asked once more.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import skops.io

from assay_artifact import ArtifactError, Manifest, Predictor, Written, fetch, load, write
from assay_artifact.readers.estimator import EstimatorPredictor
from assay_artifact.reframing import ReframedPredictor
from assay_artifact.trust import refused
from assay_training.data.columns import Inputs
from assay_training.errors import JobError
from assay_training.packaging.canonical import canonical
from assay_training.packaging.conversion import NotConvertibleError, onnx
from assay_training.packaging.parity import Parity, compared, numbers, questions
from assay_training.runtime.transient import may_pass

SKOPS, ONNX, SAMPLE = "model.skops", "model.onnx", "sample.json"
SAMPLED = 20
ROUNDING = 1e-9  # of a value in relation to itself; of what is nearly zero, a thousandth of that
PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "optuna", "skl2onnx", "onnxruntime")

Files = dict[str, bytes]


class Fitted(NamedTuple):
    """A pipeline with rows that it has not seen, and its own answers for them."""

    model: Any
    inputs: Inputs
    held_out: pandas.DataFrame
    answers: np.ndarray[Any, Any]  # probabilities, or the values of a regression


class Served(NamedTuple):
    """A proven form of the model: what is loaded, its files, and how it compares with the original."""

    predictor: Predictor
    files: Files
    parity: Parity


class Extra(NamedTuple):
    """What goes into the folder beside the model."""

    files: Files
    metadata: dict[str, Any]


def packages() -> dict[str, str]:
    """The versions that this result depends on."""
    return {name: version(name) for name in PACKAGES}


def drafted(scratch: Path, fitted: Fitted, manifest: Manifest, form: str) -> Served:
    """Serialise the pipeline, and prove in a scratch folder that the serving code gets its answers.

    Args:
        scratch: An empty folder.
        fitted: What is written.
        manifest: With the skops form as its main file, which stays beside an ONNX form.
        form: Auto, ONNX or Skops.

    Raises:
        JobError: It doesn't load or answers otherwise (InfraCheckFailed), or ONNX was asked for but is
            not its equal (ParityFailed).
    """
    archive = canonical(skops.io.dumps(fitted.model))
    vouched = tuple(refused(set(skops.io.get_untrusted_types(data=archive)), ()))
    manifest = manifest.model_copy(update={"trusted_types": vouched})
    original = _opened(scratch / "skops", {SKOPS: archive}, manifest)
    expected = _served_answers(fitted, manifest)
    must_answer(original, fitted.held_out, expected)
    served = Served(original, {SKOPS: archive}, Parity(reason="not asked for"))
    if form != "Skops":
        served = _converted(scratch / "onnx", fitted, served)
    if form == "ONNX" and not served.parity.holds:
        raise JobError(
            "ParityFailed", f"training.format is ONNX, but {_apart(served.parity)}: use Auto or Skops"
        )
    return served


def stored(destination: str, scratch: Path, served: Served, rows: pandas.DataFrame, extra: Extra) -> Written:
    """Write the artifact to the store, fetch it and ask it once more.

    Args:
        destination: The folder of the version.
        scratch: An absent folder.
        served: What `drafted` proved.
        rows: Some raw rows; they are stored with their answers.
        extra: More files, and what the manifest should tell.

    Raises:
        JobError: The store refuses (ArtifactFailed), or holds something else (InfraCheckFailed).
    """
    rows = rows.head(SAMPLED)
    answers = numbers(served.predictor.predict(rows))
    record = {**extra.metadata, "parity": served.parity._asdict()}
    manifest = served.predictor.manifest.model_copy(update={"metadata": record})
    written = _written(destination, {**served.files, **extra.files, SAMPLE: _sample(rows, answers)}, manifest)
    copy = _fetched(written, scratch)
    sample = json.loads((scratch / SAMPLE).read_bytes())
    must_answer(copy, sample["rows"], np.array(sample["answers"]))
    return written


def _served_answers(fitted: Fitted, manifest: Manifest) -> np.ndarray[Any, Any]:
    """The answers of the pipeline itself, asked as the serving code asks: the layout of rows moves last bits.

    Raises:
        JobError: They are not those of the training.
    """
    predictor: Predictor = EstimatorPredictor(fitted.model, manifest.of_model)
    predictor = predictor if manifest.bins is None else ReframedPredictor(predictor, manifest)
    found = numbers(predictor.predict(fitted.held_out))
    if not _same(found, fitted.answers):
        worst = float(np.abs(found - fitted.answers).max())
        raise JobError(
            "InfraCheckFailed", f"the serving code asks the pipeline otherwise, by up to {worst:.3g}"
        )
    return found


def _converted(folder: Path, fitted: Fitted, original: Served) -> Served:
    """The ONNX form with the original beside it if both answer alike, else the original."""
    manifest = original.predictor.manifest
    try:
        graph = onnx(fitted.model, fitted.inputs, manifest.model)
        as_onnx = manifest.model_copy(update={"format": "onnx", "file": ONNX})
        predictor = _opened(folder, {ONNX: graph}, as_onnx)
    except (NotConvertibleError, JobError) as error:
        return original._replace(parity=Parity(reason=f"not convertible: {error}"))
    parity = compared(original.predictor, predictor, questions(fitted.held_out, fitted.inputs))
    if not parity.holds:
        return original._replace(parity=parity)
    return Served(predictor, {ONNX: graph, **original.files}, parity)


def _apart(parity: Parity) -> str:
    if parity.reason:
        return f"the pipeline is {parity.reason}"
    return f"on {parity.rows} rows it differs by up to {parity.worst:.2g}, with {parity.flips} other labels"


def _opened(folder: Path, files: Files, manifest: Manifest) -> Predictor:
    return _fetched(_written(f"file://{folder}/draft", files, manifest), folder / "copy")


def _written(uri: str, files: Files, manifest: Manifest) -> Written:
    try:
        return write(uri, files, manifest.model_copy(update={"plan": None}))  # `write` makes it anew
    except (ArtifactError, OSError) as error:
        message = f"the artifact could not be written to {uri}: {error}; nothing is visible"
        raise JobError("ArtifactFailed", message, passing=may_pass(error)) from error


def _fetched(written: Written, into: Path) -> Predictor:
    try:
        return load(into, fetch(written.uri, written.digest, into))
    except (ArtifactError, OSError) as error:
        message = f"the artifact {written.uri} does not load as it would be served: {error}"
        raise JobError("InfraCheckFailed", message, passing=may_pass(error)) from error


def must_answer(predictor: Predictor, rows: Any, answers: np.ndarray[Any, Any]) -> None:
    """Ask a copy again.

    Raises:
        JobError: It answers otherwise, by more than rounding (InfraCheckFailed).
    """
    found = numbers(predictor.predict(rows))
    if not _same(found, answers):
        worst = float(np.abs(found - answers).max())
        raise JobError("InfraCheckFailed", f"the written artifact answers otherwise, by up to {worst:.3g}")


def _same(found: np.ndarray[Any, Any], answers: np.ndarray[Any, Any]) -> bool:
    """Tell whether answers are equal but for rounding, which a row's place among others can move."""
    return found.shape == answers.shape and np.allclose(found, answers, rtol=ROUNDING, atol=ROUNDING / 1000)


def _sample(rows: pandas.DataFrame, answers: np.ndarray[Any, Any]) -> bytes:
    """Raw rows with the answers that every copy must repeat; JSON keeps every float exactly."""
    plain = rows.astype(object).where(rows.notna(), None).to_dict("list")
    return json.dumps({"rows": plain, "answers": answers.tolist()}).encode()
