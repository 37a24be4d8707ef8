"""Clusters and their endpoints: one for each role a version plays, so that Envoy counts each role alone."""

from collections.abc import Iterable, Iterator

from assay_operator.gateway.route import ArmRoute, Backend, Endpoint, ModelRoute, Shadow
from assay_operator.gateway.values import OVERWRITE, TYPES, V3_OVER_ADS, Json, address, options, typed

CHAMPION = "champion"
SHADOW = "_shadow"  # no name for an arm
WITH_CHAMPION = f"~{CHAMPION}"
HTTP_OPTIONS = "extensions.upstreams.http.v3.HttpProtocolOptions"
AT_ONCE = 10_000  # connections, requests and retries; Envoy's defaults (1024, and 3 retries) fail callers
NO_SPILL = 10_000  # percent: one healthy pod of a hundred takes all requests before the Service gets any
CONNECT = "1s"  # three addresses at least: each has 0.3 s before Envoy tries the next one beside it
ATTEMPT_HEADER = "x-assay-attempt"  # who answered an attempt, and how; no caller sees it
ATTEMPT = "%UPSTREAM_METADATA(assay:arm)% %RESP(:status)%"
IDLE = "3s"  # below the 5 s after which a model server closes: whoever closes first must not be racing


def champion_cluster(route: ModelRoute) -> str:
    """Return the name of the cluster that serves everybody who is in no arm."""
    return _name(route, CHAMPION, route.champion)


def arm_cluster(route: ModelRoute, arm: ArmRoute) -> str:
    """Return the name of the cluster of one arm, without its fallback."""
    return _name(route, arm.name, arm.backend)


def shadow_cluster(route: ModelRoute, shadow: Shadow) -> str:
    """Return the name of the cluster that requests are copied to."""
    return _name(route, SHADOW, shadow.backend)


def target(route: ModelRoute, arm: ArmRoute) -> str:
    """Return where an arm's requests are sent: to the arm, with the champion behind it.

    The control too: what is done for one arm and not for the other would bias their comparison.
    """
    return arm_cluster(route, arm) + WITH_CHAMPION


def clusters(route: ModelRoute) -> Iterator[Json]:
    """Yield the clusters of a Model."""
    champion = champion_cluster(route)
    yield _cluster(champion)
    for arm in _arms(route):
        yield from _arm(arm_cluster(route, arm), champion)
    if route.shadow:
        yield _cluster(shadow_cluster(route, route.shadow))


def survivors(names: Iterable[str]) -> Iterator[Json]:
    """Yield the clusters that a gateway has, given the names of those that have endpoints.

    A control plane that starts anew knows what should be, not what a gateway still routes to. As a cluster
    follows from its name, it can be told to keep it until its routes are new.
    """
    champions = {name.rpartition("/")[0]: name for name in names if _is(name, CHAMPION)}
    for name in names:
        champion = champions.get(name.rpartition("/")[0])
        if champion in (None, name) or _is(name, SHADOW):
            yield _cluster(name)
        elif champion:
            yield from _arm(name, champion)


def _arm(name: str, champion: str) -> Iterator[Json]:
    yield _cluster(name)
    yield _composite(name + WITH_CHAMPION, (name, champion, champion))


def _is(name: str, role: str) -> bool:
    return name.rpartition("/")[2].startswith(f"{role}@")


def assignments(route: ModelRoute) -> Iterator[Json]:
    """Yield the ready endpoints of each cluster, marked with what the exposure log calls them."""
    yield _assignment(champion_cluster(route), CHAMPION, route.champion)
    for arm in _arms(route):
        yield _assignment(arm_cluster(route, arm), arm.name, arm.backend)
    if route.shadow:
        yield _assignment(shadow_cluster(route, route.shadow), SHADOW, route.shadow.backend)


def _arms(route: ModelRoute) -> tuple[ArmRoute, ...]:
    return route.split.arms if route.split else ()


def _name(route: ModelRoute, role: str, backend: Backend) -> str:
    return f"{route.namespace}/{route.name}/{role}@{backend.version}"


def _assignment(name: str, role: str, backend: Backend) -> Json:
    """Return the pods, and behind them all the Service: it answers when none of them does."""
    metadata = {"filter_metadata": {"assay": {"arm": role, "version": backend.version}}}
    pods = [_pod(at, backend) for at in range(len(backend.endpoints))]
    service = [_host(backend.service)] if backend.service else []
    tiers = [tier for tier in (pods, service) if tier]
    return {
        "cluster_name": name,
        "endpoints": [
            {"priority": at, "lb_endpoints": [{"endpoint": host, "metadata": metadata} for host in tier]}
            for at, tier in enumerate(tiers)
        ],
        "policy": {"overprovisioning_factor": NO_SPILL},
    }


def _pod(at: int, backend: Backend) -> Json:
    """Return a pod; a connection that it does not take goes to the Service, then to the next pod.

    So a pod that is dead, or that was replaced while nobody could tell the gateway, costs no attempt: no
    request has been sent yet. The Service comes first, as it knows better than an old list of pods; and
    once more at the end, as it may have picked the same dead pod and picks anew for every connection.
    """
    pods = sorted(backend.endpoints)
    service = [backend.service] if backend.service else []
    sibling = [pods[(at + 1) % len(pods)]] if len(pods) > 1 else []
    return _host(pods[at], *service, *sibling, *service)


def _host(endpoint: Endpoint, *instead: Endpoint) -> Json:
    host: Json = {"address": address(*endpoint)}
    if instead:
        host["additional_addresses"] = [{"address": address(*each)} for each in instead]
    return host


def _cluster(name: str) -> Json:
    health = _patient() if _is(name, CHAMPION) else _strict()
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {**V3_OVER_ADS, "initial_fetch_timeout": "2s"}},
        "connect_timeout": CONNECT,
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": _breakers(),
        "typed_extension_protocol_options": options(
            HTTP_OPTIONS,
            explicit_http_config={"http_protocol_options": {}},
            common_http_protocol_options={"idle_timeout": IDLE},
        ),
        **health,
    }


def _composite(name: str, members: tuple[str, ...]) -> Json:
    """Attempt 1 goes to the first member that has a healthy host, attempt 2 to the second one, and so on."""
    return {
        "name": name,
        "connect_timeout": CONNECT,
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": _breakers(),
        "typed_extension_protocol_options": _marked(),
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": {
                "@type": f"{TYPES}extensions.clusters.composite.v3.ClusterConfig",
                "clusters": [{"name": member} for member in members],
            },
        },
    }


def _marked() -> Json:
    """Mark each answer with who gave it, so that an arm's refusal is told from the champion's.

    Envoy retries by status wherever it came from: the champion would be asked again whatever it refuses.
    """
    mark = {"header": {"key": ATTEMPT_HEADER, "value": ATTEMPT}, "append_action": OVERWRITE}
    mutations = {"response_mutations": [{"append": mark}]}
    return options(
        HTTP_OPTIONS,
        explicit_http_config={"http_protocol_options": {}},
        http_filters=[
            typed("mark", "extensions.filters.http.header_mutation.v3.HeaderMutation", mutations=mutations),
            typed("codec", "extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
        ],
    )


def _breakers() -> Json:
    limits = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), AT_ONCE
    )
    return {"thresholds": [limits]}


def _patient() -> Json:
    """With nobody behind it, a cluster never gives up its last hosts: half may be set aside at most."""
    return {"outlier_detection": {**_outliers(), "max_ejection_percent": 50}}


def _strict() -> Json:
    """An arm may lose all its hosts, as the champion is behind it."""
    return {
        "outlier_detection": {**_outliers(), "max_ejection_percent": 100},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _outliers() -> Json:
    """Set aside a host that refuses, hangs or drops connections; never one whose model answers 500.

    A model that fails for some customers must keep failing for them alone: setting its pod aside would
    send everybody's requests to the champion and count them against the arm.
    """
    return {
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_time": "30s",
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 5,
        "enforcing_consecutive_local_origin_failure": 100,
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_failure_percentage": 0,
    }
