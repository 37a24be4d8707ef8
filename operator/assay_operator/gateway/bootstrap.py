"""What an Envoy needs to know before it asks the operator: where the operator is, and what to count."""

from assay_operator.gateway.values import V3_OVER_ADS, Json, address, options, typed

ADMIN_PORT = 9901
STATS_PORT = 9902
BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
HTTP_OPTIONS = "extensions.upstreams.http.v3.HttpProtocolOptions"
HTTP_MANAGER = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "extensions.filters.http.router.v3.Router"
# cluster.<namespace>/<model>/<arm>@<version>[~champion].<statistic>; "~champion" is the arm with its fallback
CLUSTER_TAGS = (
    ("assay_namespace", r"^cluster\.(([^/.]+)/)[^/.]+/"),
    ("assay_model", r"^cluster\.[^/.]+/(([^/.]+)/)"),
    ("assay_arm", r"^cluster\.[^/.]+/[^/.]+/(([^@.]+)@)"),
    ("assay_version", r"^cluster\.[^@.]+@(([^~.]+))[~.]"),
)


def bootstrap(
    xds_host: str,
    xds_port: int = 18_000,
    *,
    admin_port: int = ADMIN_PORT,
    stats_port: int = STATS_PORT,
    stats_host: str = "0.0.0.0",
) -> Json:
    """Return Envoy's bootstrap; run it with `--service-node $(POD_NAME) --service-cluster assay`.

    Args:
        xds_host: DNS name of the operator's Service.
        xds_port: Its ADS port.
        admin_port: Envoy's own interface, on loopback only, as it can stop Envoy.
        stats_port: Where `/stats/prometheus`, and nothing else of it, is reachable from outside the pod.
        stats_host: The address of that port.
    """
    return {
        "admin": {"address": address("127.0.0.1", admin_port)},
        "dynamic_resources": _dynamic(),
        "static_resources": {
            "clusters": [_operator(xds_host, xds_port), _admin(admin_port)],
            "listeners": [_stats(stats_host, stats_port)],
        },
        "stats_config": _stats_config(),
        "overload_manager": _overload(),
    }


def _dynamic() -> Json:
    # Without a limit on the first fetch an Envoy that finds no operator waits for it; with one it would
    # give up and report that it is live, with no listener.
    source = {**V3_OVER_ADS, "initial_fetch_timeout": "0s"}
    backoff = {"retry_back_off": {"base_interval": "0.2s", "max_interval": "1s"}}
    return {
        "ads_config": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "operator", "retry_policy": backoff}}],
            "set_node_on_first_message_only": True,
        },
        "cds_config": source,
        "lds_config": source,
    }


def _operator(host: str, port: int) -> Json:
    keepalive = {"connection_keepalive": {"interval": "5s", "timeout": "2s"}}
    return {
        "name": "operator",
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": options(
            HTTP_OPTIONS, explicit_http_config={"http2_protocol_options": keepalive}
        ),
        "load_assignment": _assignment("operator", host, port),
    }


def _admin(port: int) -> Json:
    assignment = _assignment("admin", "127.0.0.1", port)
    return {"name": "admin", "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}


def _assignment(name: str, host: str, port: int) -> Json:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}],
    }


def _stats(host: str, port: int) -> Json:
    route = {"match": {"path": "/stats/prometheus"}, "route": {"cluster": "admin"}}
    manager = typed(
        "http",
        HTTP_MANAGER,
        stat_prefix="stats",
        http_filters=[typed("envoy.filters.http.router", ROUTER)],
        route_config={"virtual_hosts": [{"name": "stats", "domains": ["*"], "routes": [route]}]},
    )
    return {"name": "stats", "address": address(host, port), "filter_chains": [{"filters": [manager]}]}


def _stats_config() -> Json:
    wanted = [
        {"safe_regex": {"regex": pattern}}
        for pattern in (
            r"cluster\..+\.external\.upstream_rq_(time|\dxx)",
            r"cluster\..+\.upstream_rq_(total|timeout|retry.*|pending_overflow)",
            r"cluster\..+\.(upstream_cx_connect_fail|membership_(healthy|total))",
            r"cluster\..+\.outlier_detection\.ejections_(active|enforced_total)",
            r"http\.edge\.(downstream_rq_(total|\dxx|too_large|active)|downstream_cx_(total|active)|no_route)",
            r"server\.(live|uptime|memory_allocated|state)",
        )
    ]
    return {
        "stats_tags": [{"tag_name": name, "regex": regex} for name, regex in CLUSTER_TAGS],
        "histogram_bucket_settings": [{"match": {"prefix": "cluster."}, "buckets": [*BUCKETS_MS]}],
        "stats_matcher": {
            "inclusion_list": {
                "patterns": [*wanted, {"prefix": "control_plane."}, {"suffix": "update_rejected"}]
            }
        },
    }


def _overload() -> Json:
    limit = typed(
        "envoy.resource_monitors.global_downstream_max_connections",
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=50_000,
    )
    return {"resource_monitors": [limit]}
