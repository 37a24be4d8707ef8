"""`Cluster` through `kubernetes.aio`."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient
from prometheus_client import Counter

from assay_api import Ref
from assay_api.names import OPERATOR
from assay_operator.kinds import WATCHED, Kind
from assay_operator.kube import ApiError, Body, NamespaceTerminating
from assay_operator.kube.watch import WatchEvent, WatchExpired, event

MAX_CONNECTIONS = 16  # besides those of the watches
PAGE = 500  # objects of a listing at a time: what is read from one answer is large for a moment
WATCH_SECONDS = 600  # then the API server ends a watch, and it is resumed
QUIET_SECONDS = 150  # of a watch that is dead: a living one has a bookmark each minute
_WATCH_LIMITS = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=QUIET_SECONDS)
_NOT_FOUND, _CONFLICT, _EXPIRED, _SERVER_FAULT, _BUSY = 404, 409, 410, 500, 429

_GOING = ("because it is being terminated", 'namespaces "')  # the API server has no better mark for it

_requests = Counter("assay_api_requests", "Requests to the API server.", ["verb", "code"])
T = TypeVar("T")


@dataclass(frozen=True)
class ApiCluster:
    """`Cluster` backed by an API server."""

    api: DynamicClient
    namespaces: tuple[str, ...]

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        """See `Cluster.listed`."""
        resource = await self._resource(kind.api_version, kind.kind)
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        found: list[Body] = []
        versions: list[int] = []
        for namespace in self.namespaces or (None,):
            async for page in self._pages(resource, namespace, kind.label):
                found += [head | _without_managers(item) for item in page["items"]]
                versions.append(int(page["metadata"]["resourceVersion"]))
        return found, min(versions)

    async def _pages(self, resource: Any, namespace: str | None, label: str | None) -> AsyncIterator[Any]:
        """Yield a listing, page by page; all of them are of one moment."""
        token = ""
        while True:
            page = await _answered(
                "list",
                self.api.get(
                    resource,
                    namespace=namespace,
                    label_selector=label,
                    limit=PAGE,
                    _continue=token or None,
                    serializer=_raw,
                ),
            )
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def watch(self, kind: Kind, namespace: str | None, version: int) -> AsyncIterator[WatchEvent]:
        """See `Cluster.watch`."""
        resource = await self._resource(kind.api_version, kind.kind)
        opening = self.api.get(
            resource,
            namespace=namespace,
            label_selector=kind.label,
            resource_version=str(version),
            timeout_seconds=WATCH_SECONDS,
            watch="true",
            query_params=[("allowWatchBookmarks", "true")],
            serialize=False,
            _request_timeout=_WATCH_LIMITS,
        )
        answer = await _opened(opening)
        try:
            while line := await answer.content.readline():
                yield event(kind, line)
        finally:
            answer.close()

    async def get(self, kind: Kind, ref: Ref) -> Body | None:
        """See `Cluster.get`."""
        resource = await self._resource(kind.api_version, kind.kind)
        reading = self.api.get(resource, name=ref.name, namespace=ref.namespace, serializer=_raw)
        try:
            found: Body = await _answered("get", reading)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return found

    async def apply(self, manifest: Body, *, manager: str = OPERATOR) -> Body:
        """See `Cluster.apply`."""
        return await self._apply(manifest, manager)

    async def apply_status(self, manifest: Body, *, manager: str = OPERATOR) -> Body:
        """See `Cluster.apply_status`."""
        return await self._apply(manifest, manager, subresource="status")

    async def create(self, manifest: Body) -> Body | None:
        """See `Cluster.create`."""
        resource = await self._resource(manifest["apiVersion"], manifest["kind"])
        namespace = manifest["metadata"]["namespace"]
        try:
            made = self.api.create(
                resource, body=manifest, namespace=namespace, field_manager=OPERATOR, serializer=_raw
            )
            return await _answered("create", made)
        except ApiError as error:
            if error.status == _CONFLICT:
                return None
            raise

    async def secret(self, ref: Ref, key: str) -> str:
        """See `Cluster.secret`."""
        resource = await self._resource("v1", "Secret")
        found = await _answered(
            "get", self.api.get(resource, name=ref.name, namespace=ref.namespace, serializer=_raw)
        )
        value = (found.get("data") or {}).get(key)
        if value is None:
            raise ApiError(_NOT_FOUND, f"there is no key {key}")
        return base64.b64decode(value).decode()

    async def delete(self, kind: Kind, ref: Ref, uid: str) -> None:
        """See `Cluster.delete`."""
        resource = await self._resource(kind.api_version, kind.kind)
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        gone = self.api.delete(resource, name=ref.name, namespace=ref.namespace, body=options)
        try:
            await _answered("delete", gone)
        except ApiError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:
                raise

    async def _apply(self, manifest: Body, manager: str, subresource: str | None = None) -> Body:
        kind = await self._resource(manifest["apiVersion"], manifest["kind"])
        applied = self.api.server_side_apply(
            kind.subresources[subresource] if subresource else kind,
            body=manifest,
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"]["namespace"],
            field_manager=manager,
            force_conflicts=True,
            serializer=_raw,
        )
        return await _answered("apply", applied)

    async def _resource(self, api_version: str, kind: str) -> Any:
        return await self.api.resources.get(api_version=api_version, kind=kind)


def _without_managers(item: dict[str, Any]) -> dict[str, Any]:
    """Drop who wrote which field: nobody here reads it, and it is half of a body."""
    item["metadata"].pop("managedFields", None)
    return item


def _raw(_: Any, answer: Any) -> Any:
    """Leave an answer as it is: the client's own objects cost as much again."""
    return answer


async def _opened(call: Awaitable[T]) -> T:
    try:
        return await _answered("watch", call)
    except ApiError as error:
        if error.status == _EXPIRED:
            raise WatchExpired(str(error)) from error
        raise


async def _answered(verb: str, call: Awaitable[T]) -> T:
    """Count the answer, and turn a refusal into our own words."""
    try:
        answer = await call
    except ApiException as error:
        _requests.labels(verb, error.status).inc()
        if error.status and _NOT_FOUND - 4 <= error.status < _SERVER_FAULT and error.status != _BUSY:
            raise _refusal(error.status, _message(error)) from error
        raise
    _requests.labels(verb, "2xx").inc()
    return answer


def _refusal(status: int, message: str) -> ApiError:
    return (NamespaceTerminating if any(mark in message for mark in _GOING) else ApiError)(status, message)


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


@asynccontextmanager
async def connected(namespaces: tuple[str, ...]) -> AsyncIterator[ApiCluster]:
    """Log in as kubectl would, or with the pod's service account; no namespaces means all."""
    settings = client.Configuration()
    settings.connection_pool_maxsize = MAX_CONNECTIONS + len(WATCHED) * max(len(namespaces), 1)
    await config.load_config(client_configuration=settings)
    async with client.ApiClient(settings) as api:
        api.user_agent = OPERATOR
        sessions = api.rest_client
        sessions.pool_manager = sessions._create_pool_manager()
        sessions.pool_manager._trust_env = False  # else each request reads ~/.netrc, in a thread
        yield ApiCluster(await DynamicClient(api), namespaces)
