"""What the cache keeps of a body: nothing that is never read, and little of what is over for good."""

from typing import Any

from assay_operator.kinds import EXPERIMENT
from assay_operator.kube import Body

_UNREAD = ("managedFields", "selfLink", "generateName")
_OVER = ("analysis", "checks")


def compact(body: Body) -> dict[str, Any]:
    """Return the body without what the operator never reads; a finished Experiment keeps its verdict."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in _UNREAD}
    kept = {**body, "metadata": metadata}
    if body.get("kind") == EXPERIMENT.kind and _is_over(body):
        status = {k: v for k, v in body["status"].items() if k not in _OVER}
        decision = {k: v for k, v in status["decision"].items() if k != "evidence"}
        kept["status"] = {**status, "decision": decision}
    return kept


def _is_over(body: Body) -> bool:
    """Whether nothing of its status is ever written again."""
    status = body.get("status") or {}
    closed = any(c["type"] == "Closed" and c["status"] == "True" for c in status.get("conditions") or ())
    return bool(status.get("decision")) and closed and not (status.get("state") or {}).get("slots")
