"""Objects of our own kinds that a Model makes: its versions and the Experiments they must win."""

from hashlib import sha256
from json import dumps

from assay_api import API_VERSION, Model, Source
from assay_api.experiment import TemplateArm
from assay_api.names import (
    MADE_BY_MODEL,
    MANAGED_BY,
    MODEL,
    OPERATOR,
    SOURCE,
    TRIGGER,
    version_name,
)
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import owner


def source_digest(source: Source) -> str:
    """Return the identity of a source: equal sources are one version.

    Defaults are left out, so that a field that is new in a release trains nothing again.
    """
    text = dumps(source.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def design_digest(model: Model) -> str:
    """Return the identity of what an Experiment of this Model's template would test, and how."""
    template = model.spec.rollout.experiment
    design = template.model_dump(mode="json", by_alias=True, exclude_defaults=True) if template else {}
    text = dumps([source_digest(model.spec.source), design], sort_keys=True)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def model_version(model: Model, number: int, *, again: bool = False) -> Manifest:
    """Return the version that the Model's spec asks for, maybe once more; its labels are for searches."""
    source, trigger = model.spec.source, "Manual" if again else "Spec"
    kind = next(name for name in ("training", "artifact", "image") if getattr(source, name))
    spec = {
        "modelRef": {"name": model.metadata.name},
        "number": number,
        "source": source.model_dump(mode="json", by_alias=True, exclude_none=True),
        "sourceDigest": source_digest(source),
        "trigger": trigger,
    }
    made = _own("ModelVersion", version_name(model.metadata.name, number), model, spec)
    made["metadata"]["labels"] |= {SOURCE: kind, TRIGGER: trigger}
    return made


def experiment(model: Model, champion: str, candidate: str, name: str) -> Manifest:
    """Return the Experiment of the Model's template in which the candidate, and others, meet the champion."""
    template = model.spec.rollout.experiment
    assert template is not None
    body = template.model_dump(mode="json", by_alias=True, exclude_none=True)
    body["arms"] = _arms(template.arms, champion, candidate)
    spec = {"modelRef": {"name": model.metadata.name}, "mode": "AB"} | body
    return _own("Experiment", name, model, spec)


def _arms(arms: tuple[TemplateArm, ...], champion: str, candidate: str) -> list[Manifest]:
    """Return the arms with versions; one whose version has an arm leaves its weight to the new one."""
    control, new, *others = arms
    doubles = [arm for arm in others if arm.version in {champion, candidate}]
    kept = [(arm.name, arm.weight, arm.version) for arm in others if arm not in doubles]
    weight = new.weight + sum(arm.weight for arm in doubles)
    named = [(control.name, control.weight, champion), (new.name, weight, candidate), *kept]
    return [{"name": name, "weight": weight, "version": version} for name, weight, version in named]


def _own(kind: str, name: str, model: Model, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": model.metadata.namespace,
            "labels": {MODEL: model.metadata.name, MANAGED_BY: OPERATOR, MADE_BY_MODEL: "true"},
            "ownerReferences": [owner("Model", model.metadata)],
        },
        "spec": spec,
    }
