"""Composition root: read settings, build clients, readers and the executor, and run."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import kopf

from assay_api import Ref
from assay_operator.gateway import Edge, Tls
from assay_operator.handlers.alerts import AlertmanagerWebhook
from assay_operator.handlers.collector_watch import watch
from assay_operator.handlers.triggers import Triggers
from assay_operator.handlers.web import application, server
from assay_operator.kube import ApiError, Cluster
from assay_operator.kube.client import connected
from assay_operator.kube.store import Store
from assay_operator.logs import configure
from assay_operator.reconcile.execute import Executor, NotLeaderError
from assay_operator.reconcile.gather import Gatherer, Readers
from assay_operator.reconcile.platform import PlatformSource
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.reconcile.run import Reconciler
from assay_operator.settings import Settings, kopf_settings
from assay_operator.telemetry import Outcomes, Source, SourceUnavailable, metrics
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.collector import collector
from assay_operator.telemetry.counts import CountsReader
from assay_operator.telemetry.lazy_source import LazySource
from assay_operator.telemetry.prometheus import TIMEOUT as PROMETHEUS_TIMEOUT
from assay_operator.telemetry.prometheus import Prometheus
from assay_operator.telemetry.studies import StudiesReader
from assay_operator.xds import AdsServer

START_ATTEMPTS = 30
FORBIDDEN, NOT_FOUND = 403, 404

log = logging.getLogger(__name__)


def now() -> datetime:
    """Return the moment, in microseconds: causes of one second must keep their order."""
    return datetime.now(UTC)


def edge(settings: Settings) -> Edge:
    """Return where the gateways listen."""
    tls = Tls(port=settings.gateway_tls_port) if settings.gateway_tls_port else None
    return Edge(port=settings.gateway_port, tls=tls)


@dataclass(frozen=True)
class Parts:
    """What does not depend on who is leader."""

    settings: Settings
    cluster: Cluster
    outcomes: Outcomes
    store: Store
    gateways: AdsServer


def reconciler(
    settings: Settings, cluster: Cluster, store: Store, outcomes: Outcomes, readers: Readers
) -> Reconciler:
    """Wire a pass; tests give it a cluster in memory."""
    platform = PlatformSource(settings.platform, settings.predictor_key)
    gather = Gatherer(store, readers, platform)
    executor = Executor(cluster, store, readers.gateways, outcomes, gather.obstacles)
    return Reconciler(gather, executor, now)


async def serve(settings: Settings) -> None:
    """Run until told to stop."""
    store, ads = Store(), AdsServer(edge(settings))
    async with (
        connected(settings.watched) as cluster,
        collector(settings.collector_url, lambda: settings.token("operator").decode()) as outcomes,
    ):
        await _serve(Parts(settings, cluster, outcomes, store, ads))


async def _serve(parts: Parts) -> None:
    settings, store, ads = parts.settings, parts.store, parts.gateways
    async with AsyncExitStack() as stack:
        queue: WorkQueue[Ref] = WorkQueue(
            lambda ref: _timed(run, triggers, ref), group=lambda ref: ref.namespace
        )
        counts = CountsReader(parts.outcomes, queue.add)
        stack.push_async_callback(counts.close)
        studies = StudiesReader(queue.add)
        stack.push_async_callback(studies.close)
        sources = await stack.enter_async_context(sampled(settings, parts.cluster, queue.add))
        ads.on_progress(queue.add)
        readers = Readers(counts, sources, studies, ads)
        run = reconciler(settings, parts.cluster, store, parts.outcomes, readers)

        def forget(uid: str) -> None:
            counts.forget(uid)
            run.executor.forget(uid)
            sources.forget(uid)

        triggers = Triggers(parts.cluster, store, queue, forget)
        await _listed(triggers)
        for ref in store.refs():  # all of them, before the first gateway is answered
            await run.route_only(ref)
        await ads.start(settings.xds_port)
        log.info("serving gateways, %d Models", len(store.refs()))
        webhook = AlertmanagerWebhook(run.gather.alerts, store, queue, lambda: settings.tokens("webhook"))
        web = server(application(triggers, webhook), settings.http_port)
        async with asyncio.TaskGroup() as tasks:  # when one of them dies, the process does
            others = [
                tasks.create_task(queue.run()),
                tasks.create_task(triggers.sweep(settings.sweep_seconds)),
                tasks.create_task(watch(parts.outcomes, counts)),
                tasks.create_task(web.serve()),
            ]
            await _watched(settings, triggers)
            for task in others:
                task.cancel()
        await ads.stop()


async def _watched(settings: Settings, triggers: Triggers) -> None:
    """Watch every kind until a signal comes."""
    registry = kopf.OperatorRegistry()
    triggers.register(registry)
    kopf.on.login(registry=registry, id="login")(login)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(settings),
        standalone=True,
        clusterwide=not settings.watched,
        namespaces=settings.watched,
    )


@asynccontextmanager
async def sampled(
    settings: Settings, cluster: Cluster, wake: Callable[[Ref], None]
) -> AsyncIterator[CachedSources]:
    """Reach the sources of metrics that the collector does not count."""

    async def secret(ref: Ref, key: str) -> str:
        try:
            return await cluster.secret(ref, key)
        except ApiError as error:
            allow = "; the chart's sources.sql.secrets allows it" if error.status == FORBIDDEN else ""
            raise SourceUnavailable(f"Secret {ref.name}: {error}{allow}") from error

    async with httpx.AsyncClient(timeout=httpx.Timeout(PROMETHEUS_TIMEOUT, connect=2)) as client:
        prometheus = Prometheus(client, settings.prometheus_url.rstrip("/"))
        databases = LazySource(lambda: _sql(secret, settings.sql_drivers))
        sources = CachedSources({"Prometheus": prometheus, "SQL": databases}, wake)
        yield sources
        await sources.close()


def _sql(secret: Callable[[Ref, str], Awaitable[str]], drivers: tuple[str, ...]) -> Source:
    from assay_operator.telemetry.sql import Sql  # noqa: PLC0415  see LazySource

    return Sql(secret, drivers)


async def _timed(run: Reconciler, triggers: Triggers, ref: Ref) -> float | None:
    """Look at one Model, and measure how long that takes."""
    begin, result = time.perf_counter(), "error"
    try:
        again = await run(ref)
        result = "ok"
    except NotLeaderError:
        return None
    except ApiError as error:
        if error.status == NOT_FOUND:  # what we know is of the past: look at everything anew
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
    configure(settings.log_level)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
