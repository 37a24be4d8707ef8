"""Alertmanager's way in: drift alerts that name a Model, and perhaps an arm or a version of it."""

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from assay_api import Ref
from assay_api.model import Alert
from assay_operator.kinds import MODEL
from assay_operator.kube import Body
from assay_operator.kube.store import Store
from assay_operator.reconcile.alerts import AlertInbox

LARGEST = 1 << 20
MOST_ARMS = 10


class Incoming(BaseModel):
    """One alert of Alertmanager's webhook."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: Annotated[datetime, Field(alias="startsAt")]
    fingerprint: Annotated[str, Field(min_length=1, max_length=128)]


class Post(BaseModel):
    """The body of Alertmanager's webhook, as far as we read it."""

    alerts: Annotated[tuple[Incoming, ...], Field(max_length=1000)]


class Queue(Protocol):
    """Who looks at Models, and where alerts wait for that."""

    @property
    def inbox(self) -> AlertInbox:
        """Where alerts wait."""

    async def done(self, ref: Ref) -> None:
        """Ask for a look at a Model, and wait for its end."""


@dataclass(frozen=True)
class AlertmanagerWebhook:
    """Hands alerts to the Models that they name, and answers when they are written."""

    queue: Queue
    store: Store
    tokens: Callable[[], Sequence[bytes]]

    async def __call__(self, request: Request) -> JSONResponse:
        """Answer a POST: 200 when it is written, 401, 400 or 404 when it is not."""
        if not self._may(request):
            return _problem(401, "the bearer token is wrong or missing")
        body = await request.body()
        try:
            post = Post.model_validate_json(body if len(body) <= LARGEST else b"")
        except ValidationError as wrong:
            return _problem(
                400, f"not an Alertmanager webhook: {wrong.errors()[0]['loc']}: {wrong.errors()[0]['msg']}"
            )
        found = {ref: self._model(ref) for ref in map(target, post.alerts) if ref}
        missing = [a for a in post.alerts if (ref := target(a)) is None or found[ref] is None]
        for ref, model in found.items():
            if model is not None:
                await self._take(ref, [a for a in post.alerts if target(a) == ref])
        if missing:
            return _problem(404, f"no such Model: {'; '.join(_named(a) for a in missing)}")
        return JSONResponse({"accepted": len(post.alerts)})

    def _may(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return any([hmac.compare_digest(given.encode(), known) for known in self.tokens()])

    def _model(self, ref: Ref) -> Body | None:
        return self.store.object(ref, (MODEL.kind, ref.name))

    async def _take(self, ref: Ref, alerts: Iterable[Incoming]) -> None:
        """Merge by fingerprint: the same alert again changes nothing. Wait until a pass has written them."""
        for alert in alerts:
            firing = _alert(alert) if alert.status == "firing" else None
            self.queue.inbox.add(ref, alert.fingerprint, firing)
        await self.queue.done(ref)


def target(alert: Incoming) -> Ref | None:
    """Return the Model that an alert names by its labels `namespace` and `model`."""
    namespace, model = alert.labels.get("namespace", ""), alert.labels.get("model", "")
    return Ref(namespace, model) if namespace and model else None


def _alert(alert: Incoming) -> Alert:
    named = (alert.labels.get("arm", ""), alert.labels.get("version", ""))
    arms = [word for label in named for word in re.split(r"[\s,|]+", label) if word]
    return Alert(
        fingerprint=alert.fingerprint,
        name=alert.labels.get("alertname", "drift")[:256],
        arms=tuple(arm[:63] for arm in arms[:MOST_ARMS]),
        since=alert.starts_at.replace(microsecond=0),
    )


def _named(alert: Incoming) -> str:
    labels = alert.labels
    return f"namespace {labels.get('namespace', '-')!r}, model {labels.get('model', '-')!r}"


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"status": status, "detail": detail}, status, media_type="application/problem+json")
