"""Composition root: read settings, build clients, hand them to the handlers, run."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import kopf

from assay_api import Ref
from assay_operator.gateway import Edge, Tls
from assay_operator.handlers.alerts import AlertDesk
from assay_operator.handlers.news import listen
from assay_operator.handlers.triggers import Triggers
from assay_operator.handlers.web import application, server
from assay_operator.kube import Cluster, Refused
from assay_operator.kube.client import connected
from assay_operator.kube.store import Store
from assay_operator.reconcile.badges import Badges
from assay_operator.reconcile.experiment import ExperimentReconciler
from assay_operator.reconcile.family import Gatherer
from assay_operator.reconcile.hands import Hands
from assay_operator.reconcile.model import ModelReconciler
from assay_operator.reconcile.observe import Eyes
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.reconcile.version import VersionReconciler
from assay_operator.settings import Settings, kopf_settings
from assay_operator.telemetry import NoAnswer, Source, metrics
from assay_operator.telemetry.collector import collector
from assay_operator.telemetry.deferred import Deferred
from assay_operator.telemetry.polls import Polls
from assay_operator.telemetry.prometheus import TIMEOUT as PROMETHEUS_TIMEOUT
from assay_operator.telemetry.prometheus import Prometheus
from assay_operator.telemetry.training import Workers
from assay_operator.xds import AdsServer, Gateways

START_ATTEMPTS = 30
FORBIDDEN, NOT_FOUND = 403, 404

log = logging.getLogger(__name__)


def now() -> datetime:
    """Kubernetes writes times in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def reconciler(settings: Settings, hands: Hands, eyes: Eyes, gateways: Gateways) -> ModelReconciler:
    """Wire the reconcilers."""
    return ModelReconciler(
        hands=hands,
        gather=Gatherer(hands.store, settings.own_namespace),
        versions=VersionReconciler(hands, settings.platform, Badges(settings.predictor_key), Workers()),
        experiments=ExperimentReconciler(hands, eyes),
        gateways=gateways,
    )


def edge(settings: Settings) -> Edge:
    """Return where the gateways listen."""
    tls = Tls(port=settings.gateway_tls_port) if settings.gateway_tls_port else None
    return Edge(port=settings.gateway_port, tls=tls)


async def serve(settings: Settings) -> None:
    """Run until told to stop."""
    store, ads = Store(), AdsServer(edge(settings))
    async with (
        connected(settings.watched) as cluster,
        collector(settings.collector_url, lambda: settings.token("operator").decode()) as outcomes,
        counted(settings, cluster, lambda ref: queue.add(ref)) as sources,  # noqa: PLW0108  is yet to be
    ):
        eyes = Eyes(outcomes, sources)
        reconcile = reconciler(settings, Hands(cluster, store, now), eyes, ads)

        queue: WorkQueue[Ref] = WorkQueue(lambda ref: _timed(reconcile, triggers, ref))
        triggers = Triggers(cluster, store, queue, ads)
        await _listed(triggers)
        for ref in store.families():  # all of them, before the first gateway is answered
            await reconcile.route_only(ref)
        await ads.start(settings.xds_port)
        log.info("serving gateways, %d Models", len(store.families()))
        registry = kopf.OperatorRegistry()
        triggers.register(registry)
        kopf.on.login(registry=registry, id="login")(login)
        desk = AlertDesk(cluster, store, queue, lambda: settings.tokens("webhook"))
        web = server(application(triggers, desk), settings.http_port)
        async with asyncio.TaskGroup() as tasks:  # when one of them dies, the process does
            others = [
                tasks.create_task(queue.run()),
                tasks.create_task(triggers.sweep(settings.sweep_seconds)),
                tasks.create_task(listen(outcomes, store, queue)),
                tasks.create_task(web.serve()),
            ]
            await kopf.operator(
                registry=registry,
                settings=kopf_settings(settings),
                standalone=True,
                clusterwide=not settings.watched,
                namespaces=settings.watched,
            )
            for task in others:
                task.cancel()
        await ads.stop()


@asynccontextmanager
async def counted(settings: Settings, cluster: Cluster, wake: Callable[[Ref], None]) -> AsyncIterator[Polls]:
    """Reach those who count what the collector does not."""

    async def secret(ref: Ref, key: str) -> str:
        try:
            return await cluster.secret(ref, key)
        except Refused as refused:
            allow = "; the chart's sources.sql.secrets allows it" if refused.status == FORBIDDEN else ""
            raise NoAnswer(f"Secret {ref.name}: {refused}{allow}") from refused

    async with httpx.AsyncClient(timeout=httpx.Timeout(PROMETHEUS_TIMEOUT, connect=2)) as client:
        asked = Prometheus(client, settings.prometheus_url.rstrip("/"))
        databases = Deferred(lambda: _sql(secret, settings.sql_drivers))
        polls = Polls({"Prometheus": asked, "SQL": databases}, wake)
        yield polls
        await polls.close()


def _sql(secret: Callable[[Ref, str], Awaitable[str]], drivers: tuple[str, ...]) -> Source:
    from assay_operator.telemetry.sql import Sql  # noqa: PLC0415  see Deferred

    return Sql(secret, drivers)


async def _timed(reconcile: ModelReconciler, triggers: Triggers, ref: Ref) -> float | None:
    """Look at one Model, and measure how long that takes."""
    begin, result = time.perf_counter(), "error"
    try:
        again = await reconcile(ref)
        result = "ok"
    except Refused as refused:
        if refused.status == NOT_FOUND:  # what we know is of the past: look at everything anew
            await triggers.refresh()
        raise
    finally:
        metrics.reconciles.labels("Model", result).observe(time.perf_counter() - begin)
    return again


async def _listed(triggers: Triggers) -> None:
    """List everything; right after an installation the API server may not serve our kinds yet."""
    for attempt in range(START_ATTEMPTS):
        try:
            await triggers.refresh()
            break
        except Exception as error:
            if attempt == START_ATTEMPTS - 1:
                raise
            log.info("waiting for the API server: %s", str(error).splitlines()[0])
            await asyncio.sleep(1)


def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Log in as kubectl would, or with the pod's service account."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def main() -> None:
    """Run the operator."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("httpx", "httpcore", "kopf.objects", "kubernetes"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
