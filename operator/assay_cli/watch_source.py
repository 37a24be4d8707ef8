"""Where commands look: Models, ModelVersions and Experiments of the API server."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from kubernetes.aio import client, config
from pydantic import BaseModel

from assay_api import GROUP, VERSION, Experiment, Model, ModelVersion, Ref
from assay_cli.watch_view import Observation

NOT_FOUND = 404

Kind = TypeVar("Kind", bound=BaseModel)


class Cluster:
    """The API server of the current kubeconfig context; `async with` opens and closes the connection."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        """Take the default kubeconfig (KUBECONFIG, ~/.kube/config) unless another is named."""
        self._kubeconfig, self._context = kubeconfig, context
        self._api: client.ApiClient

    async def __aenter__(self) -> Self:
        """Connect."""
        settings = client.Configuration()
        await config.load_kube_config(self._kubeconfig, self._context, settings)
        self._api = client.ApiClient(settings)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._api.close()

    async def names(self, namespace: str) -> tuple[str, ...]:
        """Return the names of the Models in `namespace`."""
        return tuple(m.metadata.name for m in await self._all(Model, "models", namespace))

    async def read(self, ref: Ref) -> Observation:
        """Return the Model with all that belongs to it, as it is now."""
        models = await self._all(Model, "models", ref.namespace)
        versions = await self._all(ModelVersion, "modelversions", ref.namespace)
        experiments = await self._all(Experiment, "experiments", ref.namespace)
        return Observation(
            next((m for m in models if m.metadata.name == ref.name), None),
            tuple(v for v in versions if v.spec.model_ref.name == ref.name),
            tuple(e for e in experiments if e.spec.model_ref.name == ref.name),
        )

    async def version(self, ref: Ref) -> ModelVersion:
        """Return the ModelVersion of that name; raises `ApiException` with 404 if there is none."""
        api = client.CustomObjectsApi(self._api)
        found: Any = await api.get_namespaced_custom_object(
            GROUP, VERSION, ref.namespace, "modelversions", ref.name
        )
        return ModelVersion.model_validate(found)

    async def experiment(self, ref: Ref) -> Experiment:
        """Return the Experiment of that name; raises `ApiException` with 404 if there is none."""
        api = client.CustomObjectsApi(self._api)
        found: Any = await api.get_namespaced_custom_object(
            GROUP, VERSION, ref.namespace, "experiments", ref.name
        )
        return Experiment.model_validate(found)

    async def model(self, ref: Ref) -> Model:
        """Return the Model of that name; raises `ApiException` with 404 if there is none."""
        api = client.CustomObjectsApi(self._api)
        found: Any = await api.get_namespaced_custom_object(GROUP, VERSION, ref.namespace, "models", ref.name)
        return Model.model_validate(found)

    async def listed(self, api_version: str, plural: str, namespace: str, selector: str) -> list[Any]:
        """Return the bodies of any kind, as the API server has them."""
        found = await self._raw(_path(api_version, namespace, plural), [("labelSelector", selector)])
        items: list[Any] = found["items"]
        return items

    async def get(self, api_version: str, plural: str, ref: Ref) -> dict[str, Any] | None:
        """Return the body of one object of any kind, or None."""
        try:
            return await self._raw(f"{_path(api_version, ref.namespace, plural)}/{ref.name}", [])
        except client.ApiException as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def _raw(self, path: str, query: list[tuple[str, str]]) -> dict[str, Any]:
        query = [(name, value) for name, value in query if value]
        accept = {"Accept": "application/json"}
        request = await self._api.param_serialize(
            "GET", path, query_params=query, header_params=accept, auth_settings=["BearerToken"]
        )
        answer = await self._api.call_api(*request)
        await answer.read()
        found: Any = self._api.response_deserialize(answer, {"200": "object"})
        body: dict[str, Any] = found.data
        return body

    async def annotate(
        self, ref: Ref, annotations: Mapping[str, str | None], plural: str = "experiments"
    ) -> None:
        """Write annotations of an Experiment, or of what else is meant; None removes one."""
        await client.CustomObjectsApi(self._api).patch_namespaced_custom_object(
            GROUP,
            VERSION,
            ref.namespace,
            plural,
            ref.name,
            {"metadata": {"annotations": dict(annotations)}},
            _content_type="application/merge-patch+json",
        )

    async def _all(self, kind: type[Kind], plural: str, namespace: str) -> list[Kind]:
        api = client.CustomObjectsApi(self._api)
        found: Any = await api.list_namespaced_custom_object(GROUP, VERSION, namespace, plural)
        return [kind.model_validate(item) for item in found["items"]]


def _path(api_version: str, namespace: str, plural: str) -> str:
    root = "apis" if "/" in api_version else "api"
    return f"/{root}/{api_version}/namespaces/{namespace}/{plural}"
