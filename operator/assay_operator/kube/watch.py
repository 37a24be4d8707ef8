"""Events of a watch, as the API server writes them: one line of JSON each."""

import json
from typing import Any, NamedTuple

from assay_operator.kinds import Kind
from assay_operator.kube import ApiError, Body

_GONE = 410


class WatchExpired(Exception):  # noqa: N818  a state of the world, as SourceUnavailable
    """The API server no longer knows what happened since a version: everything has to be listed again."""


class WatchEvent(NamedTuple):
    """What happened to one object.

    Attributes:
        version: The version of the whole list after it; a watch can be resumed from here.
        body: The object; None if nothing happened but that the version has moved on.
        deleted: Whether it is gone, `body` is the last one then.
    """

    version: int
    body: Body | None = None
    deleted: bool = False


def event(kind: Kind, line: bytes) -> WatchEvent:
    """Read one line.

    Raises:
        WatchExpired: It says so.
        ApiError: It is another error.
        ValueError: It is no event.
    """
    read: dict[str, Any] = json.loads(line)
    body, sort = read["object"], read["type"]
    if sort == "ERROR":
        raise _fault(body)
    version = int(body["metadata"]["resourceVersion"])
    if sort == "BOOKMARK":
        return WatchEvent(version)
    body["metadata"].pop("managedFields", None)  # nobody here reads it, and it is half of a body
    head = {"apiVersion": kind.api_version, "kind": kind.kind}
    return WatchEvent(version, head | body, sort == "DELETED")


def _fault(status: dict[str, Any]) -> Exception:
    code, message = int(status.get("code") or 0), str(status.get("message", ""))
    return WatchExpired(message) if code == _GONE else ApiError(code, message)
