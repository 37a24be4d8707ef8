"""The version before this one: the contract that it handed on, and what it was like."""

import logging
from typing import Any, NamedTuple

from pydantic import ValidationError

from assay_artifact import ArtifactError, is_file, read_manifest
from assay_training.reporting.findings import Finding
from assay_training.spec import Contract, Stored

log = logging.getLogger(__name__)


class PreviousVersion(NamedTuple):
    """What is known of the version before; nothing, if there was none.

    Attributes:
        name: Of the version.
        story: The metadata of its manifest.
        contract: What it handed on.
        findings: What went wrong when it was asked.
    """

    name: str = ""
    story: dict[str, Any] = {}
    contract: Contract | None = None
    findings: tuple[Finding, ...] = ()


def known(version: Stored | None) -> PreviousVersion:
    """Read what a version says about itself; one that is gone stops nothing, and is told.

    A single file hands nothing on, so it is not even read.
    """
    if version is None or is_file(version.uri):
        return PreviousVersion()
    try:
        manifest = read_manifest(version.uri, version.digest)
        dumped = manifest.metadata.get("contract")
        contract = Contract.model_validate(dumped) if dumped is not None else None
    except (ArtifactError, ValidationError) as error:
        log.warning("the version before cannot be read: %s", error)
        words = f"the version before, {version.uri}, cannot be read, so its contract is not held: {error}"
        return PreviousVersion(findings=(Finding("ContractLost", words[:500]),))
    return PreviousVersion(manifest.version, manifest.metadata, contract)
