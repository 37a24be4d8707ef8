"""Artifacts in S3, from a real server of its protocol: read as a file and as a folder."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import skops.io
from opening import OPEN, ROOT, outcome


@pytest.fixture(scope="module")
def s3(s3_server: dict[str, str], s3_client: Any) -> dict[str, str]:
    """The environment of an S3 server with a bucket `models`."""
    s3_client.create_bucket(Bucket="models")
    return s3_server


def test_a_lone_file_and_a_folder_are_opened_from_a_bucket(
    churn: Any, artifact: Any, s3: dict[str, str], s3_client: Any, tmp_path: Path
) -> None:
    client, content = s3_client, skops.io.dumps(churn.fitted("logistic"))
    client.put_object(Bucket="models", Key="churn-7.skops", Body=content)
    for path in Path(artifact.uri.removeprefix("file://")).iterdir():
        client.upload_file(str(path), "models", f"churn-7/{path.name}")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert outcome(s3, "s3://models/churn-7.skops", digest, tmp_path / "a") == "opened skops 5\n"
    assert outcome(s3, "s3://models/churn-7", artifact.digest, tmp_path / "b") == "opened skops 5\n"


def test_what_a_bucket_refuses_has_a_reason(s3: dict[str, str], tmp_path: Path) -> None:
    none = "sha256:" + "0" * 64
    assert outcome(s3, "s3://models/nothing.onnx", none, tmp_path).startswith(
        "ArtifactMissing: s3://models/nothing"
    )
    anonymous = {name: value for name, value in s3.items() if "KEY" not in name} | {"HOME": str(tmp_path)}
    opened = outcome(anonymous, "s3://models/nothing.onnx", none, tmp_path)
    assert opened.startswith("StoreUnavailable: cannot read s3://models/nothing.onnx: NoCredentialsError"), (
        opened
    )


def test_who_reads_from_elsewhere_pays_nothing_for_s3(artifact: Any, tmp_path: Path) -> None:
    code = OPEN + "print(sorted({'s3fs', 'botocore', 'aiobotocore'} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", code, artifact.uri, artifact.digest, str(tmp_path / "copy")],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.stdout == "opened skops 5\n[]\n"
