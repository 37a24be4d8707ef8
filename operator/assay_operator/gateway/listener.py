"""The listeners: they stay the same for good, because a change of them drains connections slowly."""

from dataclasses import dataclass

from assay_operator.gateway.bootstrap import HTTP_MANAGER, ROUTER
from assay_operator.gateway.hosts import ARM_HEADER, READY_FILTER, UNIT_HEADER
from assay_operator.gateway.paths import rewrite
from assay_operator.gateway.tls import Tls, secured
from assay_operator.gateway.values import V3_OVER_ADS, Json, address, typed

READY_PATH = "/assay-ready"
UNKNOWN = "no such model; ask host <model>.<namespace> or path /models/<namespace>/<model>/"
EXPOSURE = {
    "ts": "%START_TIME(%s.%6f)%",
    "id": "%STREAM_ID%",
    "namespace": "%METADATA(ROUTE:assay:namespace)%",
    "model": "%METADATA(ROUTE:assay:model)%",
    "experiment": "%METADATA(ROUTE:assay:experiment)%",
    "epoch": "%METADATA(ROUTE:assay:epoch)%",
    "table": "%METADATA(ROUTE:assay:table)%",
    "salt": "%METADATA(ROUTE:assay:salt)%",
    "unit": f"%REQ({UNIT_HEADER})%",
    "assigned": f"%REQ({ARM_HEADER})%",
    "served": "%UPSTREAM_METADATA(assay:arm)%",
    "version": "%UPSTREAM_METADATA(assay:version)%",
    "status": "%RESPONSE_CODE%",
    "method": "%REQ(:METHOD)%",
    "bytes": "%BYTES_SENT%",
    "dur_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
}
CODES = {  # what a caller can act on, for answers that are the gateway's own
    400: "BadRequest",
    404: "UnknownModel",
    408: "RequestTimeout",
    413: "RequestTooLarge",
    431: "HeadersTooLarge",
    503: "ModelUnavailable",
    504: "ModelTimeout",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the gateway listens, where it writes exposures, and what it refuses.

    Attributes:
        port: The data port.
        host: The address it listens on.
        log_path: The exposure log: one JSON object for each request that reached a Model.
        max_request_bytes: Larger bodies are refused with 413; smaller ones can be sent again on a failure.
        max_header_kib: Larger headers are refused with 431.
        tls: Where it listens for HTTPS besides, if it does.
    """

    port: int = 8080
    host: str = "0.0.0.0"
    log_path: str = "/var/log/assay/exposures.jsonl"
    max_request_bytes: int = 8 * 2**20
    max_header_kib: int = 60
    tls: Tls | None = None


def listeners(edge: Edge) -> list[Json]:
    """Return the listeners; they ask for routes over ADS and open their ports when they have them."""
    plain = _listener(edge, "edge", edge.port, {})
    return [plain, _listener(edge, "edge-tls", edge.tls.port, secured(edge.tls))] if edge.tls else [plain]


def _listener(edge: Edge, name: str, port: int, transport: Json) -> Json:
    filters = [typed("http", HTTP_MANAGER, **_manager(edge))]
    return {
        "name": name,
        "address": address(edge.host, port),
        "per_connection_buffer_limit_bytes": edge.max_request_bytes,
        "filter_chains": [{"filters": filters, **transport}],
    }


def _manager(edge: Edge) -> Json:
    return {
        "stat_prefix": "edge",
        "scoped_routes": _scopes(),
        "strip_any_host_port": True,
        "normalize_path": True,
        "max_request_headers_kb": edge.max_header_kib,
        "request_headers_timeout": "10s",
        "request_timeout": "60s",
        "common_http_protocol_options": {"idle_timeout": "300s", "headers_with_underscores_action": "ALLOW"},
        "always_set_request_id_in_response": True,  # the caller's key to its line in the log
        "early_header_mutation_extensions": [_strip()],
        "http_filters": [_ready(), rewrite(), _body_limit(edge), _router()],
        "access_log": [_exposures(edge)],
        "local_reply_config": _replies(),
    }


def _scopes() -> Json:
    """Find a Model's routes by the first two words of the host, its name and its namespace."""
    words = [
        {"header_value_extractor": {"name": ":authority", "element_separator": ".", "index": index}}
        for index in (0, 1)
    ]
    # Wait for the first ones however long it takes: an empty table would answer 404 for every Model.
    source = {**V3_OVER_ADS, "initial_fetch_timeout": "0s"}
    return {
        "name": "assay",
        "scope_key_builder": {"fragments": words},
        "rds_config_source": source,
        "scoped_rds": {"scoped_rds_config_source": source},
    }


def _ready() -> Json:
    """Answer probes: the port is open when the gateway has its routes."""
    path = {"name": ":path", "string_match": {"exact": READY_PATH}}
    kind = "extensions.filters.http.health_check.v3.HealthCheck"
    return typed(READY_FILTER, kind, pass_through_mode=False, headers=[path])


def _strip() -> Json:
    """Callers choose neither their arm nor the log's request id nor how the gateway retries."""
    removed = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in ("x-assay-", "x-envoy-")
    ]
    return typed(
        "strip",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"remove": "x-request-id"}, *removed],
    )


def _body_limit(edge: Edge) -> Json:
    return typed(
        "envoy.filters.http.buffer",
        "extensions.filters.http.buffer.v3.Buffer",
        max_request_bytes=edge.max_request_bytes,
    )


def _router() -> Json:
    return typed("envoy.filters.http.router", ROUTER, suppress_envoy_headers=True)


def _exposures(edge: Edge) -> Json:
    """Log what reached a Model: only its routes set the arm, and callers cannot."""
    return {
        **typed(
            "exposures",
            "extensions.access_loggers.file.v3.FileAccessLog",
            path=edge.log_path,
            log_format={"json_format": EXPOSURE},
        ),
        "filter": {"header_filter": {"header": {"name": ARM_HEADER, "present_match": True}}},
    }


def _replies() -> Json:
    """Say in JSON what the gateway itself has to say."""
    ready = {
        **_mapper(200, 400),
        "body_format_override": {"text_format_source": {"inline_string": "ready\n"}},
    }
    unknown = {**_mapper(404, 404), "body": {"inline_string": UNKNOWN}}
    return {
        "mappers": [ready, unknown, *(_mapper(status, status) for status in CODES)],
        "body_format": {"json_format": _error("Gateway")},
    }


def _mapper(status: int, code: int) -> Json:
    equal = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"assay.reply.{status}"}}
    return {
        "filter": {"status_code_filter": {"comparison": equal}},
        "body_format_override": {"json_format": _error(CODES[code])},
    }


def _error(code: str) -> Json:
    return {"error": {"code": code, "message": "%LOCAL_REPLY_BODY%"}}
