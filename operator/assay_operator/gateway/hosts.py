"""Routes: which Model by host, which arm by the salted hash of the unit."""

import re
from collections.abc import Iterator
from typing import Any

from assay_assign import SLOTS, encode
from assay_operator.gateway import paths
from assay_operator.gateway.clusters import ATTEMPT_HEADER, champion_cluster, shadow_cluster, target
from assay_operator.gateway.guard import tree
from assay_operator.gateway.route import ModelRoute, Split
from assay_operator.gateway.values import Json, headers, seconds

ARM_HEADER = "x-assay-arm"
UNIT_HEADER = "x-assay-unit"
VERSION_HEADER = "x-assay-version"
NONE = "none"
READY_FILTER = "envoy.filters.http.health_check"
FOR_STRANGE_HOSTS = (paths.FILTER, READY_FILTER)  # paths, probes: who names a Model needs neither
UNMATCHED_DOMAIN = "clusters"  # has no two words, by which a Model is found
UNENROLLED = "unenrolled"
SERVED_VERSION = "%UPSTREAM_METADATA(assay:version)%"
PICKS = 64  # the host that just failed is idle, so the next pick likes it; a pick costs nothing
RETRIES = 2  # a pod that dies may have connections of two hosts: its own, and one that was dead before
NOT_EXECUTED = "connect-failure,refused-stream,reset-before-request"
REFUSED = "4.."
REFUSED_UNREAD = "400|404|405|406|411|413|414|415|422|429|431"  # of the request itself, or of any just now


def domains(route: ModelRoute) -> list[str]:
    """Return the names by which pods reach the Model's Service; the gateway ignores the port.

    The last one stands for whatever the domain of the cluster is, `cluster.local` as a rule.
    """
    host = f"{route.name}.{route.namespace}"
    return [host, f"{host}.svc", f"{host}.svc.*"]


def scope_name(route: ModelRoute) -> str:
    """Return the name of a Model's scope, and of its routes."""
    return f"{route.namespace}/{route.name}"


def scope(route: ModelRoute) -> Json:
    """Return how the gateway finds a Model's routes: by the first two words of the host."""
    key = [{"string_key": word} for word in (route.name, route.namespace)]
    name = scope_name(route)
    return {"name": name, "route_configuration_name": name, "key": {"fragments": key}}


def routes(route: ModelRoute) -> Json:
    """Return a Model's routes; each Model has its own, so that a change costs the same among thousands."""
    # With validation a route to a cluster that is not there is refused; without it, it would answer 503.
    return {"name": scope_name(route), "virtual_hosts": list(_hosts(route)), "validate_clusters": True}


def _hosts(route: ModelRoute) -> Iterator[Json]:
    host = {
        "name": scope_name(route),
        "domains": domains(route),
        "typed_per_filter_config": {name: paths.off() for name in FOR_STRANGE_HOSTS},
    }
    strangers = _default_route(route)
    if split := route.split:
        yield host | {"matcher": tree(split.header, _split_route(route, split), strangers)}
        yield _validated(route, split)
    else:
        yield host | {"routes": [strangers]}


def _validated(route: ModelRoute, split: Split) -> Json:
    """Return a host that no request can name: Envoy validates clusters of routes, and not those of a tree."""
    names = dict.fromkeys((champion_cluster(route), *(target(route, arm) for arm in split.arms)))
    weighted = {"clusters": [{"name": name, "weight": 1} for name in names]}
    named = {"match": {"prefix": "/"}, "route": {**_forward(route), "weighted_clusters": weighted}}
    return {"name": f"{scope_name(route)}/clusters", "domains": [UNMATCHED_DOMAIN], "routes": [named]}


def _split_route(route: ModelRoute, split: Split) -> Json:
    salted = {"pattern": {"regex": "^"}, "substitution": f"{split.salt or split.uid}:"}
    policy = {"header": {"header_name": split.header, "regex_rewrite": salted}, "terminal": True}
    facts = {"experiment": split.uid, "epoch": str(split.epoch), "table": encode(split.table)}
    if split.salt:
        facts["salt"] = split.salt
    return {
        "name": f"{route.namespace}/{route.name}/split",
        "match": {"prefix": "/"},
        "metadata": _metadata(route, facts),
        "request_headers_to_add": headers({UNIT_HEADER: f"%REQ({split.header})%"}),
        "response_headers_to_add": headers({VERSION_HEADER: SERVED_VERSION}),
        "response_headers_to_remove": [ATTEMPT_HEADER],
        "route": {
            **_forward(route),
            "retry_policy": _covered(route, split),
            "hash_policy": [policy],
            "weighted_clusters": {"use_hash_policy": True, "clusters": list(_shares(route, split))},
        },
    }


def _shares(route: ModelRoute, split: Split) -> Iterator[Json]:
    """Yield the slot table from 0 to 10,000; Envoy walks it in this order, so the gaps are part of it."""
    targets = {arm.name: target(route, arm) for arm in split.arms}
    at = 0
    for arm, start, end in split.table:
        if start > at:
            yield _share(champion_cluster(route), UNENROLLED, start - at)
        if end > start:
            yield _share(targets[arm], arm, end - start)
        at = end
    if at < SLOTS:
        yield _share(champion_cluster(route), UNENROLLED, SLOTS - at)


def _share(cluster: str, arm: str, width: int) -> Json:
    label = headers({ARM_HEADER: arm})
    return {
        "name": cluster,
        "weight": width,
        "request_headers_to_add": label,
        "response_headers_to_add": label,
    }


def _default_route(route: ModelRoute) -> Json:
    """Requests without a unit: never split, because without a hash Envoy picks at random."""
    return {
        "name": f"{route.namespace}/{route.name}",
        "match": {"prefix": "/"},
        "metadata": _metadata(route, {}),
        "request_headers_to_add": headers({ARM_HEADER: NONE}),
        "response_headers_to_add": headers({ARM_HEADER: NONE, VERSION_HEADER: SERVED_VERSION}),
        "route": {
            **_forward(route),
            "cluster": champion_cluster(route),
            "retry_policy": _retry(route, "gateway-error,reset"),
        },
    }


def _metadata(route: ModelRoute, facts: Json) -> Json:
    return {"filter_metadata": {"assay": {"namespace": route.namespace, "model": route.name, **facts}}}


def _forward(route: ModelRoute) -> Json:
    """Return what all of a Model's routes have in common: how long, and who else is shown the request."""
    if route.shadow is None:
        return {"timeout": seconds(route.timeout_seconds)}
    share = {"numerator": round(route.shadow.percent * 10_000), "denominator": "MILLION"}
    mirror = {
        "cluster": shadow_cluster(route, route.shadow),
        "runtime_fraction": {"default_value": share},
        "disable_shadow_host_suffix_append": True,
    }
    return {"timeout": seconds(route.timeout_seconds), "request_mirror_policies": [mirror]}


def _covered(route: ModelRoute, split: Split) -> Json:
    """What an arm fails or refuses, the champion is asked; what that one refuses stays refused."""
    arms = "|".join(re.escape(arm.name) for arm in split.arms)
    refused = f"({arms}) ({REFUSED if route.retry_executed else REFUSED_UNREAD})"
    refusal = {"name": ATTEMPT_HEADER, "string_match": {"safe_regex": {"regex": refused}}}
    half = seconds(route.timeout_seconds / 2)
    policy = _retry(route, "5xx", per_try_timeout=half, retriable_headers=[refusal])
    return {**policy, "retry_on": f"{policy['retry_on']},retriable-headers"}


def _retry(route: ModelRoute, executed: str, **extra: Any) -> Json:
    retry_on = f"{NOT_EXECUTED},{executed}" if route.retry_executed else NOT_EXECUTED
    return {
        "retry_on": retry_on,
        "num_retries": RETRIES,
        "retry_host_predicate": [_previous_hosts()],
        "host_selection_retry_max_attempts": PICKS,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.1s"},
        **extra,
    }


def _previous_hosts() -> Json:
    kind = "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "name": "envoy.retry_host_predicates.previous_hosts",
        "typed_config": {"@type": f"type.googleapis.com/envoy.{kind}"},
    }
