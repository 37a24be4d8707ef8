"""`LeaseClient` through `kubernetes.aio`, on connections of its own: renewals wait for no other request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from assay_api import Ref
from assay_api.names import OPERATOR
from assay_operator.kube import Body
from assay_operator.kube.lease import LeaseUnavailable

API_VERSION, KIND = "coordination.k8s.io/v1", "Lease"
_NOT_FOUND, _CONFLICT = 404, 409
CONNECTIONS = 2


@dataclass(frozen=True)
class ApiLease:
    """One Lease by its name."""

    api: DynamicClient
    resource: Any
    ref: Ref

    async def read(self) -> Body | None:
        """See `LeaseClient.read`."""
        return await _unless(
            {_NOT_FOUND}, self.api.get(self.resource, name=self.ref.name, namespace=self.ref.namespace)
        )

    async def create(self, spec: Body) -> Body | None:
        """See `LeaseClient.create`."""
        metadata = {"name": self.ref.name, "namespace": self.ref.namespace}
        return await _unless({_CONFLICT}, self._send(self.api.create, metadata, spec))

    async def replace(self, lease: Body, spec: Body) -> Body | None:
        """See `LeaseClient.replace`; the metadata has the version that must still be there."""
        return await _unless({_NOT_FOUND, _CONFLICT}, self._send(self.api.replace, lease["metadata"], spec))

    def _send(self, verb: Any, metadata: Body, spec: Body) -> Any:
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
        return verb(self.resource, body=body, namespace=self.ref.namespace, field_manager=OPERATOR)


async def _unless(statuses: set[int], call: Any) -> Body | None:
    """Return the answer's body; None for these refusals."""
    try:
        body: Body = (await call).to_dict()
    except ApiException as error:
        if error.status in statuses:
            return None
        raise LeaseUnavailable(f"{error.status} {error.reason}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:  # cut off, or answered by some proxy
        raise LeaseUnavailable(str(error) or type(error).__name__) from error
    return body


@asynccontextmanager
async def lease_at(ref: Ref, patience: float = 60.0) -> AsyncIterator[ApiLease]:
    """Log in as kubectl would, or with the pod's service account.

    Raises:
        TimeoutError: The API server did not answer within `patience` seconds.
    """
    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS
    await config.load_config(client_configuration=settings)
    async with client.ApiClient(settings) as api:
        api.user_agent = f"{OPERATOR}/leader-election"
        async with asyncio.timeout(patience):
            dynamic = await DynamicClient(api)
            resource = await dynamic.resources.get(api_version=API_VERSION, kind=KIND)
        yield ApiLease(dynamic, resource, ref)
