"""`assay plan -f`: what the operator would do next with a Model, without doing it."""

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from assay_api import API_VERSION, Model, ModelSpec, Ref
from assay_api.duration import spelled
from assay_cli.preview import Preview, Shown, listings, names, preview
from assay_cli.watch import plainly
from assay_cli.watch_source import Cluster

_ASSUMED = (
    "Not looked at: gateways (taken to follow), other Models' parts of layers, what the chart of the "
    "operator names (images, the store: taken as its defaults; service accounts: as allowed)."
)


def run(options: argparse.Namespace) -> int:
    """Print what would be done.

    Raises:
        ValueError: The file is no Model, has a field that is wrong or unknown, or cannot be planned.
        OSError: The file can't be read, or the cluster can't be asked.
    """
    body = yaml.safe_load(Path(options.model).read_text())
    ref = _named(body, options)
    with plainly(forbidden="ask for the roles view of Kubernetes and of Assay in this namespace"):
        found = asyncio.run(_looked(options, body, ref))
    print("\n".join(lines(ref, found)))
    return 0


def _named(body: Any, options: argparse.Namespace) -> Ref:
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (API_VERSION, "Model"):
        raise ValueError(f"{options.model}: apiVersion {API_VERSION} and kind Model are expected")
    metadata = body.get("metadata") or {}
    return Ref(metadata.get("namespace") or options.namespace, metadata.get("name") or "")


async def _looked(options: argparse.Namespace, body: dict[str, Any], ref: Ref) -> Preview:
    now = datetime.now(UTC)
    async with Cluster(options.kubeconfig, options.context) as cluster:
        found = [
            {"apiVersion": one.api_version, "kind": one.kind, **item}
            for one in listings(ref.name)
            for item in await cluster.listed(one.api_version, one.plural, ref.namespace, one.selector)
        ]
        wanted = as_applied(body, ref, found)
        taken = []
        for one, name in names(wanted, found, now):
            if there := await cluster.get(one.api_version, one.plural, Ref(ref.namespace, name)):
                taken.append({"apiVersion": one.api_version, "kind": one.kind, **there})
    return preview(wanted, found, taken, now)


def as_applied(body: Mapping[str, Any], ref: Ref, found: list[dict[str, Any]]) -> Model:
    """Return the Model as it would be after `kubectl apply` of `body`.

    Raises:
        ValueError: A field is wrong or unknown.
    """
    spec = ModelSpec.written(body.get("spec") or {})
    of_file = body["metadata"].get("annotations") or {}
    live = next((b for b in found if b["kind"] == "Model" and b["metadata"]["name"] == ref.name), None)
    if live is None:
        metadata = {**ref._asdict(), "uid": "not made yet", "annotations": of_file}
        return Model.model_validate({"metadata": metadata, "spec": spec})
    known = Model.model_validate(live)
    news = {
        "annotations": known.metadata.annotations | of_file,
        "generation": known.metadata.generation + (known.spec != spec),
    }
    return known.changed(metadata=known.metadata.changed(**news), spec=spec)


def lines(ref: Ref, found: Preview) -> Iterator[str]:
    """Yield what would be done, in words."""
    yield f"Model {ref.name} in namespace {ref.namespace}"
    yield from _listed("would make", [_creation(body) for body in found.creations])
    yield from _listed("would apply, new", found.applied)
    yield from _listed("would apply, changed", found.changed)
    yield from _listed("would delete", found.removed)
    if not (found.creations or found.applied or found.changed or found.removed):
        yield "would make, change and delete nothing"
    yield _champion(found)
    for name in found.running:
        yield f"Experiment {name} runs: its numbers were not read, so its next verdict is not foretold"
    for shown in found.statuses:
        yield from _table(shown)
    yield _again(found.again)
    yield _ASSUMED


def _listed(verb: str, words: Any) -> Iterator[str]:
    yield from (f"{verb}: {one}" for one in words)


def _creation(body: Mapping[str, Any]) -> str:
    words = f"{body['kind']} {body['metadata']['name']}"
    arms = body["spec"].get("arms")
    return f"{words} ({' against '.join(arm['version'] for arm in arms)})" if arms else words


def _champion(found: Preview) -> str:
    if not found.champion:
        return "champion: none yet"
    if found.champion == found.before:
        return f"champion: {found.champion}, as now"
    return f"champion: {found.champion}, after {found.before or 'none'}"


def _table(shown: Shown) -> Iterator[str]:
    yield f"\n{shown.kind} {shown.name} would show:"
    yield f"  {'TYPE':<14} {'STATUS':<8} {'REASON':<22} MESSAGE"
    for one in sorted(shown.conditions, key=lambda c: c.type):
        yield f"  {one.type:<14} {one.status:<8} {one.reason:<22} {one.message}"


def _again(seconds: float | None) -> str:
    if seconds is None:
        return "\nlooks again when something changes"
    return f"\nlooks again in {spelled(seconds)} at the latest" if seconds >= 1 else "\nlooks again at once"
