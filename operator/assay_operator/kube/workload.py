"""Bodies of Kubernetes' own kinds as the frozen values that decisions know; odd bodies are read as little."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from assay_api.names import VERSION_OF
from assay_assign import Span
from assay_operator.decide.layer import Holding
from assay_operator.decide.workload import DeploymentState, JobState, PodState
from assay_operator.kube import Body


def job(body: Body) -> JobState:
    """Read a Job."""
    conditions = {
        c["type"]: c for c in body.get("status", {}).get("conditions") or () if c["status"] == "True"
    }
    failed = conditions.get("Failed")
    return JobState(
        name=body["metadata"]["name"],
        finished=bool(failed) or "Complete" in conditions,
        succeeded="Complete" in conditions,
        message=failed.get("message", "") if failed else "",
        image=next((c["image"] for c in _containers(body)), ""),
    )


def _containers(body: Body) -> Iterator[Any]:
    yield from body.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ()


def deployment(body: Body) -> DeploymentState:
    """Read a Deployment; settled when every pod is of the newest template and available."""
    status = body.get("status", {})
    wanted = body["spec"].get("replicas", 1)
    available = status.get("availableReplicas") or 0
    observed = status.get("observedGeneration", 0) >= body["metadata"].get("generation", 0)
    return DeploymentState(
        wanted, available, observed and (status.get("updatedReplicas") or 0) >= wanted <= available
    )


def pod(body: Body) -> PodState:
    """Read a Pod."""
    status = body.get("status", {})
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    metadata = body["metadata"]
    return PodState(
        name=metadata["name"],
        version=(metadata.get("labels") or {}).get(VERSION_OF, ""),
        address=status.get("podIP") or "",
        ready=ready,
        terminating=bool(metadata.get("deletionTimestamp")),
        finished=status.get("phase") in {"Succeeded", "Failed"},
        termination_message=next((t.get("message", "") for t in _ends(status) if t.get("message")), ""),
        trouble=_trouble(status),
        sidecar_image_id=next((c.get("imageID", "") for c in status.get("initContainerStatuses") or ()), ""),
    )


def _ends(status: Any) -> Iterator[Any]:
    for container in status.get("containerStatuses") or ():
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if "terminated" in state:
                yield state["terminated"]


_WAITING_IS_FINE = {"ContainerCreating", "PodInitializing", ""}


def _trouble(status: Any) -> str:
    """Say in words what keeps a pod from running, or nothing."""
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _WAITING_IS_FINE:
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    for end in _ends(status):
        if end.get("exitCode") and not end.get("message"):
            return f"{end.get('reason', 'Error')}, exit code {end['exitCode']}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message", "not scheduled"))
    return ""


def holding(body: Body) -> Holding | None:
    """Read which slots of its layer an Experiment owns, if it has started and not let go of them."""
    status, metadata = body.get("status") or {}, body["metadata"]
    if not (slots := (status.get("state") or {}).get("slots")):
        return None
    return Holding(
        metadata["uid"], metadata["name"], status["state"]["salt"], Span(slots["from"], slots["to"])
    )


def started(body: Body) -> bool:
    """Tell whether an Experiment has ever split traffic."""
    return bool((body.get("status") or {}).get("startedAt"))


def over(body: Body) -> bool:
    """Tell whether an Experiment is decided and owns nothing any more."""
    status = body.get("status") or {}
    return bool(status.get("decision")) and not (status.get("state") or {}).get("slots")


def endpoints(body: Body, *, ready: bool = True) -> Iterator[tuple[str, int]]:
    """Yield address and port of the endpoints of an EndpointSlice that stay: the ready ones, or all."""
    port = next((p["port"] for p in body.get("ports") or () if p.get("port")), None)
    if not port:
        return
    for endpoint in body.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        if (conditions.get("ready", True) or not ready) and not conditions.get("terminating"):
            for address in endpoint.get("addresses") or ():
                if _is_ip(address):
                    yield address, port


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
