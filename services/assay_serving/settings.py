"""What the Deployment tells the process, read once."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from assay_serving.capture.config import CaptureConfig

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """The environment, typed.

    Attributes:
        uri: Folder of the artifact, any fsspec URL (MODEL_URI).
        digest: Digest of its manifest, `sha256:…` (MODEL_DIGEST).
        model: Name of the Model (ASSAY_MODEL); the manifest's when empty.
        version: Name of the ModelVersion (ASSAY_VERSION); the manifest's when empty.
        namespace: Of both (ASSAY_NAMESPACE).
        allow_pickle: Whether a joblib file may be opened (ASSAY_ALLOW_PICKLE=1).
        format: What the manifest must say the model is (ASSAY_FORMAT); anything when empty.
        drain_seconds: How long to answer on after SIGTERM (DRAIN_SECONDS).
        host: Address to listen on (HOST).
        port: Port to listen on (PORT).
        max_body_bytes: Larger bodies get 413 (ASSAY_MAX_BODY_BYTES).
        max_rows: More rows in one request get 413 (ASSAY_MAX_ROWS).
        max_waiting_rows: More rows in the queue get 429 (ASSAY_MAX_WAITING_ROWS).
        timeout_seconds: A request that waits longer for the model gets 504 (ASSAY_TIMEOUT_SECONDS).
        capture: What is counted for drift (ASSAY_CAPTURE, JSON: sample and exclude); nothing when absent.
        capture_seconds: How often counts go to the collector (ASSAY_CAPTURE_SECONDS).
        collector: URL of the collector (ASSAY_COLLECTOR_URL).
        token_file: File with the token for it (ASSAY_TOKEN_FILE).
        pod: Name of the pod (HOSTNAME).
    """

    uri: str
    digest: str
    model: str = ""
    version: str = ""
    namespace: str = ""
    allow_pickle: bool = False
    format: str = ""
    drain_seconds: float = 5.0
    host: str = "0.0.0.0"
    port: int = 3000
    max_body_bytes: int = 64 * MEBIBYTE
    max_rows: int = 100_000
    max_waiting_rows: int = 200_000
    timeout_seconds: float = 30.0
    capture: CaptureConfig | None = None
    capture_seconds: float = 60.0
    collector: str = ""
    token_file: str = ""
    pod: str = ""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        ValueError: A variable is missing, or is no number.
    """
    if missing := [name for name in ("MODEL_URI", "MODEL_DIGEST") if not environment.get(name)]:
        raise ValueError(f"{' and '.join(missing)} must be set")
    return Settings(
        uri=environment["MODEL_URI"],
        digest=environment["MODEL_DIGEST"],
        model=environment.get("ASSAY_MODEL", ""),
        version=environment.get("ASSAY_VERSION", ""),
        namespace=environment.get("ASSAY_NAMESPACE", ""),
        allow_pickle=environment.get("ASSAY_ALLOW_PICKLE") == "1",
        format=environment.get("ASSAY_FORMAT", ""),
        host=environment.get("HOST", "0.0.0.0"),
        drain_seconds=_number(environment, "DRAIN_SECONDS", 5.0),
        timeout_seconds=_number(environment, "ASSAY_TIMEOUT_SECONDS", 30.0),
        port=int(_number(environment, "PORT", 3000)),
        max_body_bytes=int(_number(environment, "ASSAY_MAX_BODY_BYTES", 64 * MEBIBYTE)),
        max_rows=int(_number(environment, "ASSAY_MAX_ROWS", 100_000)),
        max_waiting_rows=int(_number(environment, "ASSAY_MAX_WAITING_ROWS", 200_000)),
        capture=_capture(environment.get("ASSAY_CAPTURE")),
        capture_seconds=_number(environment, "ASSAY_CAPTURE_SECONDS", 60.0),
        collector=environment.get("ASSAY_COLLECTOR_URL", ""),
        token_file=environment.get("ASSAY_TOKEN_FILE", ""),
        pod=environment.get("HOSTNAME", "predictor"),
    )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environment.get(name) or default)
    except ValueError:
        raise ValueError(f"{name} is {environment[name]!r}, expected a number") from None
    if value < 0:
        raise ValueError(f"{name} is {environment[name]!r}, expected 0 or more")
    return value


def _capture(given: str | None) -> CaptureConfig | None:
    if not given:
        return None
    try:
        parsed = json.loads(given)
        config = CaptureConfig(float(parsed.get("sample", 1.0)), tuple(parsed.get("exclude", ())))
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"ASSAY_CAPTURE is {given[:200]!r}, expected sample and exclude as JSON") from None
    if not 0 < config.sample <= 1:
        raise ValueError(f"ASSAY_CAPTURE has sample {config.sample:g}, expected above 0 and at most 1")
    return config
