import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io

from assay_artifact import ArtifactError, Predictor, fetch, load, write

ESTIMATORS = ["logistic", "boosting", "forest", "ridge", "boosted-regression", "forest-regression"]


def reloaded(churn: Any, folder: Path, name: str, **changes: object) -> Predictor:
    there = churn.written(folder / "store", name, **changes)
    return load(folder / "copy", fetch(there.uri, there.digest, folder / "copy"))


def bytes_loaded(churn: Any, folder: Path, file: str, content: bytes, **changes: Any) -> Predictor:
    allow_pickle = changes.pop("allow_pickle", False)
    described = churn.manifest("logistic", file=file, **changes)
    there = write((folder / "store").as_uri(), {file: content}, described)
    fetched = fetch(there.uri, there.digest, folder / "copy")
    return load(folder / "copy", fetched, allow_pickle=allow_pickle)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_loaded_model_answers_raw_rows_exactly_as_the_pipeline_does(
    churn: Any, tmp_path: Path, name: str
) -> None:
    rows = churn.raw(200, seed=1)
    answer = reloaded(churn, tmp_path, name).predict(rows)
    offline, canonical = churn.fitted(name), churn.table(rows)
    if name in churn.REGRESSIONS:
        assert answer.values is not None
        assert answer.labels is None
        np.testing.assert_array_equal(answer.values, offline.predict(canonical))
    else:
        assert answer.probabilities is not None
        np.testing.assert_array_equal(answer.probabilities, offline.predict_proba(canonical))
        np.testing.assert_array_equal(answer.labels, offline.predict(canonical))


def test_missing_columns_and_unseen_categories_are_the_pipelines_business(churn: Any, tmp_path: Path) -> None:
    predictor = reloaded(churn, tmp_path, "logistic")
    answer = predictor.predict({"plan": ["never seen", None], "age": [None, 33]})
    assert len(answer) == 2
    assert np.isfinite(np.asarray(answer.probabilities)).all()


def test_a_threshold_moves_the_label_and_not_the_probability(churn: Any, tmp_path: Path) -> None:
    rows = churn.raw(200, seed=1)
    plain = churn.fitted("logistic").predict_proba(churn.table(rows))
    answer = reloaded(churn, tmp_path, "logistic", threshold=0.9, positive="stays").predict(rows)
    np.testing.assert_array_equal(answer.probabilities, plain)
    assert np.asarray(answer.labels).tolist() == ["stays" if p >= 0.9 else "leaves" for p in plain[:, 1]]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def poisoned(mark: Path) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(Evil(mark), buffer)
    return buffer.getvalue()


def test_a_poisoned_pickle_is_not_opened(churn: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="PickleRefused"):
        bytes_loaded(churn, tmp_path, "model.joblib", poisoned(tmp_path / "ran"), format="joblib")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_that_calls_itself_skops_is_not_opened_either(churn: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Unreadable"):
        bytes_loaded(churn, tmp_path, "model.skops", poisoned(tmp_path / "ran"), allow_pickle=True)
    assert not (tmp_path / "ran").exists()


def test_an_allowed_pickle_is_the_same_model(churn: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    joblib.dump(churn.fitted("logistic"), buffer)
    predictor = bytes_loaded(
        churn, tmp_path, "m.joblib", buffer.getvalue(), allow_pickle=True, format="joblib"
    )
    assert len(predictor.predict(churn.raw())) == 400


def test_a_zip_bomb_is_not_unpacked(churn: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (100 << 20))
    with pytest.raises(ArtifactError, match=r"ZipBomb.*104857600 bytes"):
        bytes_loaded(churn, tmp_path, "model.skops", buffer.getvalue())


def test_a_skops_file_of_an_unlisted_type_is_refused_by_name(churn: Any, tmp_path: Path) -> None:
    content = skops.io.dumps(os.getcwd)
    with pytest.raises(ArtifactError, match=r"UntrustedType.*getcwd"):
        bytes_loaded(churn, tmp_path, "model.skops", content)


def test_nobody_can_vouch_for_a_function_of_the_system(churn: Any, tmp_path: Path) -> None:
    content = skops.io.dumps(os.getcwd)
    with pytest.raises(ArtifactError, match="UntrustedType"):
        bytes_loaded(churn, tmp_path, "model.skops", content, trusted_types=("posix.getcwd",))


def test_a_file_that_changed_after_it_was_fetched_is_refused(churn: Any, tmp_path: Path) -> None:
    there = churn.written(tmp_path / "store")
    fetched = fetch(there.uri, there.digest, tmp_path / "copy")
    assert fetched.plan
    (tmp_path / "copy" / fetched.plan).write_bytes(b"later")
    with pytest.raises(ArtifactError, match="DigestMismatch"):
        load(tmp_path / "copy", fetched)


def test_classes_that_are_not_the_models_are_refused(churn: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"BadManifest.*\['leaves', 'stays'\]"):
        reloaded(churn, tmp_path, "logistic", classes=("stays", "leaves"))


def test_importing_the_package_imports_no_model_library() -> None:
    heavy = "{'pandas', 'sklearn', 'skops', 'onnxruntime', 'xgboost', 'scipy'}"
    code = f"import sys, assay_artifact; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
