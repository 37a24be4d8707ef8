import json
from pathlib import Path
from typing import Any

import pytest

from assay_artifact import MANIFEST, ArtifactError, Written, fetch, write
from assay_artifact.manifest import digest_of


def folder_of(artifact: Written) -> Path:
    return Path(artifact.uri.removeprefix("file://"))


def test_what_was_written_is_fetched_and_verified(artifact: Written, tmp_path: Path) -> None:
    fetched = fetch(artifact.uri, artifact.digest, tmp_path / "copy")
    assert fetched.version == "churn-logistic"
    assert (tmp_path / "copy" / fetched.file).stat().st_size == fetched.files[fetched.file].bytes


def test_the_digest_is_that_of_the_manifests_bytes(artifact: Written) -> None:
    assert digest_of((folder_of(artifact) / MANIFEST).read_bytes()) == artifact.digest


def test_size_is_that_of_all_files(artifact: Written) -> None:
    assert artifact.bytes == sum(path.stat().st_size for path in folder_of(artifact).iterdir())


def test_writing_the_same_again_changes_nothing(churn: Any, tmp_path: Path) -> None:
    there, files = (tmp_path / "store").as_uri(), {"model.skops": b"any"}
    first = write(there, files, churn.manifest("logistic"))
    before = (folder_of(first) / MANIFEST).stat().st_mtime_ns
    assert write(there, files, churn.manifest("logistic")) == first
    assert (folder_of(first) / MANIFEST).stat().st_mtime_ns == before


def test_different_content_never_touches_what_is_there(churn: Any, artifact: Written, tmp_path: Path) -> None:
    other = churn.written(tmp_path / "store", metadata={"note": "second try"})
    assert other.uri != artifact.uri
    assert fetch(artifact.uri, artifact.digest, tmp_path / "copy").metadata == {}


def test_no_draft_is_left_behind(artifact: Written, tmp_path: Path) -> None:
    assert [path.name for path in (tmp_path / "store").iterdir()] == [folder_of(artifact).name]


def test_a_store_in_memory_behaves_the_same(churn: Any, tmp_path: Path) -> None:
    there = write("memory://bucket/churn", {"model.skops": b"x"}, churn.manifest("logistic"))
    assert fetch(there.uri, there.digest, tmp_path).files["model.skops"].bytes == 1


@pytest.mark.parametrize("name", ["model.skops", MANIFEST])
def test_one_changed_byte_is_refused(artifact: Written, tmp_path: Path, name: str) -> None:
    path = folder_of(artifact) / name
    path.write_bytes(path.read_bytes().replace(b"logistic", b"Logistic", 1) if name == MANIFEST else b"evil")
    with pytest.raises(ArtifactError, match="DigestMismatch"):
        fetch(artifact.uri, artifact.digest, tmp_path / "copy")


def test_a_file_that_grew_is_not_copied_whole(artifact: Written, tmp_path: Path) -> None:
    with (folder_of(artifact) / "model.skops").open("ab") as file:
        file.truncate(200 << 20)
    with pytest.raises(ArtifactError, match="is not of"):
        fetch(artifact.uri, artifact.digest, tmp_path / "copy")
    assert (tmp_path / "copy" / "model.skops").stat().st_size < 10 << 20


def tampered(artifact: Written, **changes: object) -> str:
    path = folder_of(artifact) / MANIFEST
    content = json.dumps({**json.loads(path.read_bytes()), **changes}).encode()
    path.write_bytes(content)
    return digest_of(content)


OUTSIDE = {"../../outside": {"sha256": "0" * 64, "bytes": 1}}
BAD_MANIFESTS = [
    pytest.param({"files": OUTSIDE, "file": "../../outside"}, "no plain path", id="a path that leaves"),
    pytest.param({"files": {}, "file": "/etc/passwd"}, "no plain path", id="an absolute path"),
    pytest.param({"file": "other"}, "not listed", id="a main file without a digest"),
    pytest.param({"surprise": 1}, "surprise: Extra inputs", id="an unknown field"),
    pytest.param({"schemaVersion": 2}, "schemaVersion", id="a later schema"),
    pytest.param({"features": []}, "features", id="no features"),
    pytest.param({"classes": None}, "has classes", id="a classification without classes"),
    pytest.param({"threshold": 0.5}, "positive", id="a threshold for nobody"),
    pytest.param({"positive": "maybe"}, "none of the classes", id="a positive class that isn't one"),
]


@pytest.mark.parametrize(("changes", "why"), BAD_MANIFESTS)
def test_a_bad_manifest_is_refused_by_name(
    artifact: Written, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    digest = tampered(artifact, **changes)
    with pytest.raises(ArtifactError, match=f"BadManifest.*{why}"):
        fetch(artifact.uri, digest, tmp_path / "copy")


def test_a_manifest_that_is_no_json_is_refused(artifact: Written, tmp_path: Path) -> None:
    (folder_of(artifact) / MANIFEST).write_bytes(b"{")
    with pytest.raises(ArtifactError, match="BadManifest"):
        fetch(artifact.uri, digest_of(b"{"), tmp_path / "copy")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        pytest.param("file:///nowhere/at/all", "ArtifactMissing", id="an absent folder"),
        pytest.param("nonsense://bucket/x", "StoreUnavailable", id="an unknown protocol"),
    ],
)
def test_what_cannot_be_read_says_where(tmp_path: Path, uri: str, reason: str) -> None:
    with pytest.raises(ArtifactError, match=rf"{reason}: .*{uri}"):
        fetch(uri, "sha256:" + "0" * 64, tmp_path)


def test_a_store_that_refuses_says_so(churn: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="StoreUnavailable: cannot write"):
        churn.written(tmp_path / "file")
