"""The only room that talks to the API server."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from assay_api import Ref
from assay_operator.kinds import Kind

if TYPE_CHECKING:
    from assay_operator.kube.watch import WatchEvent

Body = Mapping[str, Any]


class ApiError(Exception):
    """The API server said no: quota, permission, or a field it does not take."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status and the API server's own words."""
        super().__init__(message)
        self.status = status


class NamespaceTerminating(ApiError):  # noqa: N818
    """The namespace is being deleted, or gone: nothing new is made there, and nothing has to be."""


class Cluster(Protocol):
    """What the operator needs from Kubernetes; tests pass a fake.

    Applies are server-side, under our own field manager: idempotent, safe to repeat. All raise
    `ApiError` for an answer of 4xx, and whatever the client raises when nobody answers.
    """

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        """Return every object of a kind (that carries its label) and the list's resourceVersion."""

    def watch(self, kind: Kind, namespace: str | None, version: int) -> "AsyncIterator[WatchEvent]":
        """Yield what happens to a kind after a version, until the API server ends the answer.

        `WatchExpired` if that is too long ago.
        """

    async def get(self, kind: Kind, ref: Ref) -> Body | None:
        """Return the object as it is now, or None."""

    async def apply(self, manifest: Body, *, manager: str = "assay-operator") -> Body:
        """Create the object, or make our fields of it look like `manifest`; return it.

        Fields belong to the `manager` that applied them: what it leaves out next time goes away. With
        `metadata.uid` only the object of that uid is touched, with `metadata.resourceVersion` only as it was
        then: `ApiError` of status 409 otherwise.
        """

    async def apply_status(self, manifest: Body, *, manager: str = "assay-operator") -> Body:
        """Do the same to its `status` subresource."""

    async def create(self, manifest: Body) -> Body | None:
        """Create the object; None if there is one of that name."""

    async def secret(self, ref: Ref, key: str) -> str:
        """Return one value of a Secret; `ApiError` with 404 if there is no such key."""

    async def delete(self, kind: Kind, ref: Ref, uid: str) -> None:
        """Delete the object of that uid and, in the background, what it owns; gone already is fine."""
