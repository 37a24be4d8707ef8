"""Envoy resources are JSON values here; the protobuf schema checks them where they are packed."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

TYPES = "type.googleapis.com/envoy."
OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
V3_OVER_ADS = {"ads": {}, "resource_api_version": "V3"}


def typed(name: str, message: str, /, **fields: Any) -> Json:
    """Return an extension's configuration, such as `typed("x", "extensions...v3.Router")`."""
    return {"name": name, "typed_config": {"@type": TYPES + message, **fields}}


def address(host: str, port: int) -> Json:
    """Return a TCP address."""
    return {"socket_address": {"address": host, "port_value": port}}


def options(message: str, /, **fields: Any) -> Json:
    """Return `typed_extension_protocol_options` with one message, known by its own name."""
    return {f"envoy.{message}": {"@type": f"{TYPES}{message}", **fields}}


def headers(pairs: Mapping[str, str]) -> Sequence[Json]:
    """Return header mutations that replace whatever a caller or a model server wrote."""
    return [
        {"header": {"key": key, "value": value}, "append_action": OVERWRITE} for key, value in pairs.items()
    ]


def seconds(value: float) -> str:
    """Return a protobuf duration.

    >>> seconds(0.25)
    '0.25s'
    """
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
