"""Composition root: read settings, keep the cache warm, and act while this replica is the leader."""

import asyncio
import gc
import logging
import signal
from typing import Any

import kopf

from assay_api import Ref
from assay_operator.composition import Common, Switch, act
from assay_operator.handlers.alerts import AlertmanagerWebhook
from assay_operator.handlers.leader import Leader, hand_over, leader_only
from assay_operator.handlers.triggers import Triggers
from assay_operator.handlers.web import application, server
from assay_operator.kube.client import connected
from assay_operator.kube.lease import Leadership, new_identity
from assay_operator.kube.lease_client import lease_at
from assay_operator.kube.store import Store
from assay_operator.logs import configure
from assay_operator.settings import Settings, kopf_settings
from assay_operator.telemetry.collector import Collector
from assay_operator.telemetry.gauges import forget_everything
from assay_operator.telemetry.http import http

START_ATTEMPTS = 30

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Run until told to stop."""
    async with (
        lease_at(Ref(settings.own_namespace, settings.lease)) as lease,
        connected(settings.watched) as cluster,
        http() as client,
    ):
        outcomes = Collector(client, settings.collector_url, lambda: settings.token("operator").decode())
        store, switch = Store(), Switch()
        leadership = Leadership(lease, new_identity(settings.pod_name))
        triggers = Triggers(cluster, store, switch, settings.watched)
        common = Common(settings, cluster, client, outcomes, store, leadership, triggers.refresh)
        await _listed(triggers)
        _keep_for_good()
        await _run(common, switch, triggers)


async def _run(common: Common, switch: Switch, triggers: Triggers) -> None:
    settings, leadership = common.settings, common.leadership
    webhook = AlertmanagerWebhook(switch, common.store, lambda: settings.tokens("webhook"))
    web = server(application(triggers, leader_only(leadership, webhook)), settings.http_port)
    leader = Leader(leadership, lambda: act(common, switch), forget_everything)
    async with asyncio.TaskGroup() as tasks:  # when one of them dies, the process does
        acting = tasks.create_task(leader.run())
        electing = tasks.create_task(leadership.run())
        others = [
            tasks.create_task(triggers.follow()),
            tasks.create_task(triggers.sweep(settings.sweep_seconds)),
            tasks.create_task(web.serve()),
        ]
        stop, watching, released = asyncio.Event(), asyncio.Event(), asyncio.Event()
        tasks.create_task(_signalled(stop, watching))
        leaving = tasks.create_task(hand_over(stop, acting, leadership.release))
        leaving.add_done_callback(lambda _: released.set())
        await _watched(settings, triggers, watching, released)
        stop.set()
        await leaving
        for task in (electing, *others):
            task.cancel()


async def _signalled(stop: asyncio.Event, watching: asyncio.Event) -> None:
    """Take the signals from kopf, which would first wait 5 s for the leader's tasks to end by themselves."""
    await watching.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _watched(settings: Settings, triggers: Triggers, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Watch Models until told to stop."""
    registry = kopf.OperatorRegistry()
    triggers.register(registry)
    kopf.on.login(registry=registry, id="login")(login)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(settings),
        standalone=True,
        clusterwide=not settings.watched,
        namespaces=settings.watched,
        ready_flag=ready,
        stop_flag=stop,
    )


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


def _keep_for_good() -> None:
    """Spare the garbage collector what stays: going through every cached object stops all else for long.

    Bodies that are replaced are freed nevertheless, as they are in no cycle.
    """
    gc.collect()
    gc.freeze()


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
