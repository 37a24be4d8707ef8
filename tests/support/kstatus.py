"""What tools make of a status, and where it breaks the promises that docs/concepts.md makes about conditions.

`judged` follows kstatus (sigs.k8s.io/cli-utils), by which Flux, kpt and others tell whether an object is
done. It takes bodies as the API server has them, and raises for none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assay_api.reason import REASONS, Reason

Body = Mapping[str, Any]
Status = Literal["Current", "InProgress", "Failed", "Terminating"]
OURS = ("Model", "ModelVersion", "Experiment")
ALWAYS = ("Ready", "Progressing", "Reconciling", "Degraded", "Stalled")
MIRRORS = {"Reconciling": "Progressing", "Stalled": "Progressing"}  # they carry its reason and message
DONE_WITHOUT_A_WINNER = ("AAEqual", "ShadowOver")


@dataclass(frozen=True)
class Result:
    """What a tool sees, and what we promised otherwise."""

    status: Status
    message: str
    violations: tuple[str, ...]


def judged(body: Body, *, settled: bool = False) -> Result:
    """Return what kstatus says of an object, and the promises that it breaks.

    Args:
        body: Any object; only those of our kinds have promises.
        settled: Whether the operator has had the time to look at the present spec.
    """
    status, message = kstatus(body)
    return Result(status, message, tuple(violations(body, settled=settled)))


def kstatus(body: Body) -> tuple[Status, str]:
    """Return status and message by the generic rules, and by the condition Ready where they are silent."""
    metadata, status = body["metadata"], body.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating", "the object is being deleted"
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    if None not in (generation, observed) and generation != observed:
        return "InProgress", f"generation {generation} is not observed yet, {observed} was"
    conditions = status.get("conditions") or ()
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in {"Reconciling", "Stalled"}:
            return "InProgress" if condition["type"] == "Reconciling" else "Failed", condition["message"]
    ready = next((c for c in conditions if c["type"] == "Ready"), None)
    if ready and ready["status"] != "True":
        return "InProgress", ready["message"]
    return "Current", ready["message"] if ready else "it has no conditions"


def violations(body: Body, *, settled: bool = False) -> Iterator[str]:
    """Yield every promise that the status of an object of ours breaks."""
    conditions = {c["type"]: c for c in (body.get("status") or {}).get("conditions") or ()}
    if body["kind"] not in OURS or not conditions:
        return
    for check in (
        _shape,
        _reasons,
        _present,
        _mirrored,
        _excluded,
        _generations,
        _ends,
        *BY_KIND[body["kind"]],
    ):
        yield from check(body, conditions)
    ready = conditions.get("Ready", {})
    if settled and ready.get("status") == "True":
        generation = body["metadata"]["generation"]
        if ready["observedGeneration"] != generation:
            yield f"Ready=True of generation {ready['observedGeneration']}, the present one is {generation}"


def _shape(body: Body, conditions: dict[str, Body]) -> Iterator[str]:
    if len(conditions) != len(body["status"]["conditions"]):
        yield "a condition type comes twice"
    for kind, condition in conditions.items():
        if condition.get("status") not in {"True", "False", "Unknown"}:
            yield f"{kind} has status {condition.get('status')!r}"
        if not str(condition.get("message", "")).strip():
            yield f"{kind} has no message"
        if _moment(condition) is None:
            yield f"{kind} has lastTransitionTime {condition.get('lastTransitionTime')!r}"


def _moment(condition: Body) -> datetime | None:
    try:
        return datetime.fromisoformat(condition["lastTransitionTime"])
    except (KeyError, TypeError, ValueError):
        return None


def _reasons(body: Body, conditions: dict[str, Body]) -> Iterator[str]:
    for kind, condition in conditions.items():
        word = condition.get("reason", "")
        if word not in REASONS:
            yield f"{kind} has reason {word!r}, which is not documented"
        elif f"{body['kind']}.{MIRRORS.get(kind, kind)}" not in REASONS[Reason(word)].places:
            yield f"{kind} has reason {word}, which is not documented for it"


def _present(_: Body, conditions: dict[str, Body]) -> Iterator[str]:
    if missing := [kind for kind in ALWAYS if kind not in conditions]:
        yield f"it has no condition {', '.join(missing)}"


def _mirrored(_: Body, conditions: dict[str, Body]) -> Iterator[str]:
    for kind, of in MIRRORS.items():
        if kind in conditions and of in conditions:
            for field in ("reason", "message"):
                if conditions[kind].get(field) != conditions[of].get(field):
                    yield f"{kind} and {of} differ in {field}"
    if _says(conditions, "Reconciling") != _says(conditions, "Progressing"):
        yield "Reconciling and Progressing differ in status"


def _excluded(_: Body, conditions: dict[str, Body]) -> Iterator[str]:
    if _says(conditions, "Progressing") == _says(conditions, "Stalled") == "True":
        yield "Progressing and Stalled are both True"
    degraded = conditions.get("Degraded", {})
    reason = REASONS.get(degraded.get("reason", ""))
    if degraded.get("status") == "True" and reason and reason.severity != "Warning":
        yield f"Degraded=True with reason {degraded['reason']}, whose severity is {reason.severity}"


def _generations(body: Body, conditions: dict[str, Body]) -> Iterator[str]:
    generation, observed = body["metadata"]["generation"], body["status"].get("observedGeneration")
    if observed is None or observed > generation:
        yield f"status.observedGeneration is {observed}, generation is {generation}"
    for kind, condition in conditions.items():
        if not 0 <= condition.get("observedGeneration", -1) <= (observed or 0):
            yield f"{kind} observed generation {condition.get('observedGeneration')}, the status {observed}"
    ready = conditions.get("Ready", {})
    if ready.get("status") == "True" and ready.get("observedGeneration") != observed:
        yield f"Ready=True observed generation {ready.get('observedGeneration')}, the status {observed}"


def _ends(_: Body, conditions: dict[str, Body]) -> Iterator[str]:
    hopeless = {"Ready": "True", "Progressing": "True", "Stalled": "True", "Degraded": "True"}
    if not any(_says(conditions, kind) == status for kind, status in hopeless.items()):
        yield "it is not ready, and nothing is in progress, stalled or degraded: tools would wait for ever"


def _verdict(body: Body, conditions: dict[str, Body]) -> Iterator[str]:
    ready, decision = conditions.get("Ready", {}), body["status"].get("decision")
    if decision is None:
        if ready.get("status") != "Unknown" and ready.get("reason") != "InvalidSpec":
            yield f"Ready={ready.get('status')} before it is decided"
        return
    reason = REASONS.get(decision["reason"])
    if reason is None or "Experiment.decision" not in reason.places:
        yield f"decision has reason {decision['reason']!r}, which is not documented for it"
        return
    good = bool(decision.get("winner")) or decision["reason"] in DONE_WITHOUT_A_WINNER
    wanted = {
        "Ready": str(good),
        "Progressing": "False",
        "Stalled": str(not good),
        "Degraded": str(reason.severity == "Warning"),
    }
    for kind, status in wanted.items():
        if _says(conditions, kind) != status:
            yield f"{kind}={_says(conditions, kind)} after {decision['reason']}, promised is {status}"


def _findings(body: Body, _: dict[str, Body]) -> Iterator[str]:
    for finding in body["status"].get("findings") or ():
        reason = REASONS.get(finding["reason"])
        if reason is None or "ModelVersion.findings" not in reason.places:
            yield f"a finding has reason {finding['reason']!r}, which is not documented for it"


Check = Callable[[Body, dict[str, Body]], Iterator[str]]
BY_KIND: dict[str, tuple[Check, ...]] = {
    "Model": (),
    "ModelVersion": (_findings,),
    "Experiment": (_verdict,),
}


def _says(conditions: dict[str, Body], kind: str) -> str:
    return str(conditions.get(kind, {}).get("status", "absent"))


def moved(before: Body, after: Body) -> Iterator[str]:
    """Yield what must not happen between two statuses of the same object, written one after the other."""
    old, new = before.get("status") or {}, after.get("status") or {}
    if before["metadata"].get("uid") != after["metadata"].get("uid"):
        return
    first, then = (status.get("observedGeneration") or 0 for status in (old, new))
    if first > then:
        yield f"observedGeneration went back from {first} to {then}"
    known = {c["type"]: c for c in new.get("conditions") or ()}
    for was in old.get("conditions") or ():
        if (now := known.get(was["type"])) is None:
            yield f"{was['type']} was taken away"
        else:
            yield from _dated(was, now)
    verdict, later = (status.get("decision") or {} for status in (old, new))
    if verdict and (verdict["verdict"], verdict["reason"]) != (later.get("verdict"), later.get("reason")):
        yield f"the decision {verdict['reason']} became {later.get('reason')}"


def _dated(was: Body, now: Body) -> Iterator[str]:
    kind, then, since = was["type"], _moment(was), _moment(now)
    if was["status"] == now["status"] and then != since:
        yield f"{kind} is {was['status']} as before, but its lastTransitionTime moved"
    if then and since and since < then:
        yield f"{kind} has a lastTransitionTime that went back"
    if (first := was["observedGeneration"]) > (later := now["observedGeneration"]):
        yield f"{kind} observed generation {first} before, now {later}"
