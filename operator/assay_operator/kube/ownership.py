"""Whose an object is: ours only if it carries our owner's uid; what is not ours is never touched."""

from typing import Literal

from assay_api.names import MANAGED_BY, OPERATOR
from assay_api.names import MODEL as MODEL_LABEL
from assay_operator.kube import Body

Relation = Literal["Ours", "Orphan", "Remains", "Foreign"]


def relation(body: Body, owner_uid: str, model: str) -> Relation:
    """Return whose an object is.

    Args:
        body: The object as it is now.
        owner_uid: The uid of the object that shall be its controller; empty if it shall have none.
        model: Name of the Model that wants it.

    Returns:
        Ours: its controller is the owner. Orphan: made by us for this Model, and its owner let go of it
        (`kubectl delete --cascade=orphan`), so it is adopted. Remains: made by us for an owner of another
        uid, which is gone or going. Foreign: somebody else's.
    """
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    controllers = [ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")]
    if owner_uid and any(ref["uid"] == owner_uid for ref in controllers):
        return "Ours"
    if labels.get(MANAGED_BY) != OPERATOR:
        return "Foreign"
    if not owner_uid:
        return "Ours" if not controllers else "Foreign"
    if labels.get(MODEL_LABEL) != model:
        return "Foreign"
    return "Remains" if controllers else "Orphan"
