"""What an operator consists of: what every replica has, and what only the leader has while it leads."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from assay_api import Ref
from assay_operator.gateway import Edge, Tls
from assay_operator.handlers.collector_watch import watch
from assay_operator.handlers.leader import announce
from assay_operator.kube import ApiError, Cluster
from assay_operator.kube.lease import Leadership
from assay_operator.kube.store import Store
from assay_operator.manifests.leader import Replica, leader_slice
from assay_operator.reconcile.alerts import AlertInbox
from assay_operator.reconcile.execute import Executor, NotLeaderError
from assay_operator.reconcile.gather import Gatherer, Readers
from assay_operator.reconcile.platform import PlatformSource
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.reconcile.run import Reconciler
from assay_operator.settings import Settings
from assay_operator.telemetry import MetricSource, Outcomes, SourceUnavailable, metrics
from assay_operator.telemetry.bakes import BakesReader
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.counts import CountsReader
from assay_operator.telemetry.http import Http
from assay_operator.telemetry.lazy_source import LazySource
from assay_operator.telemetry.prometheus import Prometheus
from assay_operator.telemetry.schemas import SchemasReader
from assay_operator.telemetry.studies import StudiesReader
from assay_operator.xds import AdsServer

FORBIDDEN, NOT_FOUND = 403, 404

log = logging.getLogger(__name__)


def now() -> datetime:
    """Return the moment, in microseconds: causes of one second must keep their order."""
    return datetime.now(UTC)


def edge(settings: Settings) -> Edge:
    """Return where the gateways listen."""
    tls = Tls(port=settings.gateway_tls_port) if settings.gateway_tls_port else None
    return Edge(port=settings.gateway_port, tls=tls)


def reconciler(
    settings: Settings, cluster: Cluster, store: Store, outcomes: Outcomes, readers: Readers
) -> Reconciler:
    """Wire a pass; tests give it a cluster in memory."""
    platform = PlatformSource(settings.platform, settings.predictor_key)
    gather = Gatherer(store, readers, platform)
    executor = Executor(cluster, store, readers.gateways, outcomes, gather.obstacles)
    return Reconciler(gather, executor, now)


@dataclass(frozen=True)
class Common:
    """What every replica has."""

    settings: Settings
    cluster: Cluster
    http: Http
    outcomes: Outcomes
    store: Store
    leadership: Leadership
    refresh: Callable[[], Awaitable[None]]  # lists everything anew


@dataclass(frozen=True)
class Acting:
    """What a leader has: its queue, its passes and its readers."""

    queue: WorkQueue[Ref]
    run: Reconciler
    counts: CountsReader
    sources: CachedSources

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is gone."""
        self.counts.forget(uid)
        self.sources.forget(uid)
        self.run.executor.forget(uid)


class Switch:
    """Leads events and alerts to the leader's queue; a follower only keeps its cache warm."""

    def __init__(self) -> None:
        """Follow."""
        self.acting: Acting | None = None

    def add(self, ref: Ref) -> None:
        """Ask for a look at a Model."""
        if self.acting:
            self.acting.queue.add(ref)

    async def done(self, ref: Ref) -> None:
        """Ask for a look at a Model, and wait for its end."""
        if self.acting is None:
            raise NotLeaderError
        await self.acting.queue.done(ref)

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is gone."""
        if self.acting:
            self.acting.forget(uid)

    @property
    def inbox(self) -> AlertInbox:
        """Where alerts wait for the next look."""
        if self.acting is None:
            raise NotLeaderError
        return self.acting.run.gather.alerts


async def act(common: Common, switch: Switch) -> None:
    """Be the leader until cancelled: publish all routes, serve the gateways, and look at everything."""
    settings, store = common.settings, common.store
    ads = AdsServer(edge(settings))
    async with AsyncExitStack() as stack:
        acting = await _acting(common, ads, stack)
        switch.acting = acting
        stack.callback(lambda: setattr(switch, "acting", None))
        for ref in store.refs():  # all of them, before the first gateway is answered
            await acting.run.route_only(ref)
        await ads.start(settings.xds_port)
        stack.push_async_callback(ads.stop)
        log.info("serving gateways, %d Models", len(store.refs()))
        for ref in store.refs():
            acting.queue.add(ref)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(acting.queue.run())
            tasks.create_task(watch(common.outcomes, acting.counts))
            tasks.create_task(_announced(common))


async def _announced(common: Common) -> None:
    """Lead the operator's Service to this replica, now that it serves gateways."""
    settings = common.settings
    if not settings.pod_uid:  # not in a pod: nobody looks for it by a Service
        return
    replica = Replica(settings.own_namespace, settings.pod_name, settings.pod_uid, settings.pod_ip)
    ports = {"xds": settings.xds_port, "http": settings.http_port}
    manifest = leader_slice(settings.lease, replica, ports)
    await announce(common.cluster.apply, common.leadership, manifest)


async def _acting(common: Common, ads: AdsServer, stack: AsyncExitStack) -> Acting:
    queue: WorkQueue[Ref] = WorkQueue(
        lambda ref: _timed(run, common.refresh, ref), group=lambda ref: ref.namespace
    )
    counts = CountsReader(common.outcomes, queue.add)
    bakes = BakesReader(common.outcomes, queue.add)
    studies = StudiesReader(common.http, queue.add)
    schemas = SchemasReader(common.http, queue.add)
    for reader in (counts, bakes, studies, schemas):
        stack.push_async_callback(reader.close)
    sources = await stack.enter_async_context(sampled(common, queue.add))
    ads.on_progress(queue.add)
    readers = Readers(counts, bakes, sources, studies, ads, schemas)
    run = reconciler(common.settings, common.cluster, common.store, common.outcomes, readers)
    run = replace(run, executor=replace(run.executor, fence=common.leadership.held))
    return Acting(queue, run, counts, sources)


async def _timed(run: Reconciler, refresh: Callable[[], Awaitable[None]], ref: Ref) -> float | None:
    """Look at one Model, and measure how long that takes."""
    begin, result = time.perf_counter(), "error"
    try:
        again = await run(ref)
        result = "ok"
    except NotLeaderError:
        return None
    except ApiError as error:
        if error.status == NOT_FOUND:  # what we know is of the past: look at everything anew
            await refresh()
        raise
    finally:
        metrics.reconciles.labels("Model", result).observe(time.perf_counter() - begin)
    return again


@asynccontextmanager
async def sampled(common: Common, wake: Callable[[Ref], None]) -> AsyncIterator[CachedSources]:
    """Reach the sources of metrics that the collector does not count."""

    async def secret(ref: Ref, key: str) -> str:
        try:
            return await common.cluster.secret(ref, key)
        except ApiError as error:
            allow = "; the chart's sources.sql.secrets allows it" if error.status == FORBIDDEN else ""
            raise SourceUnavailable(f"Secret {ref.name}: {error}{allow}") from error

    sources = CachedSources(metric_sources(common.settings, common.http, secret), wake)
    yield sources
    await sources.close()


def metric_sources(
    settings: Settings, http: Http, secret: Callable[[Ref, str], Awaitable[str]]
) -> dict[str, MetricSource]:
    """Return who answers the queries of each source; `secret` reads a value of a Secret."""
    return {
        "Prometheus": Prometheus(http, settings.prometheus_url.rstrip("/")),
        "SQL": LazySource(lambda: _sql(secret, settings.sql_drivers)),
    }


def _sql(secret: Callable[[Ref, str], Awaitable[str]], drivers: tuple[str, ...]) -> MetricSource:
    from assay_operator.telemetry.sql import Sql  # noqa: PLC0415  see LazySource

    return Sql(secret, drivers)
