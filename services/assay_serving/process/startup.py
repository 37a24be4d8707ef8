"""From the environment to a version that predicts, or to a reason why not."""

import contextlib
import ctypes
import gc
import json
import logging
import tempfile
import time
from pathlib import Path

from assay_artifact import ArtifactError, Manifest, Table, fetch, from_columns, load
from assay_drift.profile import FILE as PROFILE
from assay_drift.profile import read as read_profile
from assay_process.termination import MAX_BYTES, termination_log
from assay_serving.capture.counting import Capture
from assay_serving.capture.reporter import Address, ProfileReporter, owner
from assay_serving.settings import Settings
from assay_serving.version import Version

log = logging.getLogger(__name__)
SAMPLE = "sample.json"


def version(settings: Settings) -> Version:
    """Fetch, verify, load and warm up.

    Raises:
        ArtifactError: The artifact must not be served, or its first prediction failed (WarmUpFailed).
    """
    start = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="assay-model-"))
    manifest = fetch(
        settings.uri, settings.digest, folder, form=settings.format, allow_pickle=settings.allow_pickle
    )
    predictor = load(folder, manifest, allow_pickle=settings.allow_pickle)
    try:
        loaded = Version(predictor, settings, sample(folder, manifest))
    except Exception as error:  # a model may fail in any way on its first rows
        raise ArtifactError("WarmUpFailed", f"the first prediction failed: {error!r}"[:1000]) from error
    loaded.capture = counting(folder, loaded)
    _tidied()
    log.info(
        "serving %s %s (%s) after %.2f s, %.0f us a call",
        loaded.model,
        loaded.version,
        "plan" if manifest.plan else manifest.format,
        time.monotonic() - start,
        1e6 * loaded.cost.call,
    )
    return loaded


def sample(folder: Path, manifest: Manifest) -> Table | None:
    """Return the rows that the trainer put beside the model, as a background for explanations."""
    if SAMPLE not in manifest.files:
        return None
    try:
        return from_columns(json.loads((folder / SAMPLE).read_bytes())["rows"], manifest.features)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s can't be read, so nothing can be explained: %s", SAMPLE, error)
        return None


def _tidied() -> None:
    """Give back the memory that only loading needed, where the C library can; collect no more what stays."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def counting(folder: Path, version: Version) -> Capture | None:
    """Return what counts rows for drift, if the Model wants it and the version has a profile.

    A version that can't be counted is served all the same; the log says why it isn't.
    """
    config, manifest = version.settings.capture, version.manifest
    if config is None:
        return None
    if PROFILE not in manifest.files:
        log.warning("nothing is counted for drift: the version was written without %s", PROFILE)
        return None
    try:
        profile = read_profile((folder / PROFILE).read_bytes())
        return Capture(profile, manifest, config, version.metrics.captured)
    except ValueError as error:
        log.warning("nothing is counted for drift: %s", error)
        return None


def reporter(version: Version) -> ProfileReporter | None:
    """Return what brings the counts away, if there are any and somebody to take them."""
    settings, capture = version.settings, version.capture
    if capture is None or not settings.collector:
        return None
    digest = version.manifest.files[PROFILE].sha256
    whose = owner(settings.namespace, version.model, version.version, digest)
    address = Address(settings.collector.rstrip("/"), Path(settings.token_file), whose, settings.pod)
    return ProfileReporter(capture.take, address, version.metrics.uncaptured, settings.capture_seconds)


def refused(reason: str, message: str) -> int:
    """Leave one line for whoever reads the pod's status, where that is possible; return the exit code."""
    line = json.dumps({"reason": reason, "message": message[:2000]})[:MAX_BYTES]
    log.error("%s: %s", reason, message)
    with contextlib.suppress(OSError):
        termination_log().write_text(line + "\n")
    return 1
