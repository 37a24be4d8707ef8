"""The routes of the Open Inference Protocol (V2), as KServe, Triton and their clients speak it."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay_serving.codec import tensors
from assay_serving.codec.bodies import JSON, RequestReader
from assay_serving.codec.formats import from_named
from assay_serving.problems import Problem
from assay_serving.version import State, Version

HEADER = "inference-header-content-length"
BINARY = "application/octet-stream"
Handler = Callable[[Request], Awaitable[Response]]


class Protocol:
    """One method for each route."""

    def __init__(self, state: State) -> None:
        """Serve what is in `state`."""
        self.state = state

    def routes(
        self, measured: Callable[[str, Handler], Handler], plain: Callable[[Handler], Handler]
    ) -> list[Route]:
        """Return the routes; the wrappers count, and turn problems into answers."""
        infer = measured("/v2/models/{name}/infer", _with_error(self.infer))
        found: list[Route] = [Route("/v2", plain(self.server))]
        found += [Route(f"/v2/health/{word}", getattr(self, word)) for word in ("live", "ready")]
        for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            found += [
                Route(model, plain(_with_error(self.model))),
                Route(f"{model}/ready", plain(_with_error(self.model_ready))),
                Route(f"{model}/infer", infer, methods=["POST"]),
            ]
        return found

    async def live(self, _: Request) -> Response:
        """The process answers."""
        return _answer({"live": True})

    async def ready(self, _: Request) -> Response:
        """New requests may come."""
        return _answer({"ready": self.state.ready}, 200 if self.state.ready else 503)

    async def server(self, _: Request) -> Response:
        """Say what this is."""
        version = self.state.served()
        return _answer({"name": "assay", "version": version.version, "extensions": ["binary_tensor_data"]})

    async def model(self, request: Request) -> Response:
        """Describe inputs and outputs."""
        version = self._version(request)
        inputs, outputs = tensors.metadata(version.manifest)
        head = {"name": version.model, "versions": [version.version]}
        return _answer({**head, "platform": version.manifest.format, "inputs": inputs, "outputs": outputs})

    async def model_ready(self, request: Request) -> Response:
        """This model takes requests."""
        version = self._version(request)
        ready = self.state.ready
        return _answer({"name": version.model, "ready": ready}, 200 if ready else 503)

    async def infer(self, request: Request) -> Response:
        """Answer tensors with tensors."""
        version, incoming = self._version(request), RequestReader(request.scope, request.receive)
        incoming.media_type(frozenset({JSON, BINARY}))
        body = await incoming.body(version.settings.max_body_bytes)
        parsed, binary = tensors.message(body, incoming.header(HEADER.encode()))
        features = version.manifest.features
        table = from_named(tensors.columns(parsed, binary, features), features, version.settings.max_rows)
        prediction = await version.predict(table, incoming.patience())
        outputs, parts = tensors.outputs(parsed, prediction, version.manifest)
        identity = version.identities.of(parsed.get("id") or incoming.header(b"x-request-id"))
        head = {"model_name": version.model, "model_version": version.version, "id": identity}
        return _tensors({**head, "outputs": outputs}, parts)

    def _version(self, request: Request) -> Version:
        version = self.state.served()
        name, wanted = request.path_params["name"], request.path_params.get("version", version.version)
        if (name, wanted) != (version.model, version.version):
            served = f"{version.model} {version.version}"
            raise Problem(404, "not-served", f"{name} {wanted} is not served here, but {served}")
        return version


def _answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type=JSON)


def _tensors(value: Any, parts: list[bytes]) -> Response:
    head = orjson.dumps(value)
    if not parts:
        return Response(head, media_type=JSON)
    return Response(b"".join([head, *parts]), headers={HEADER: str(len(head))}, media_type=BINARY)


def _with_error(handler: Handler) -> Handler:
    """Add the member that the protocol's clients look for."""

    async def with_error(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            problem.where.setdefault("error", str(problem))
            raise

    return with_error
