"""HTTPS at the gateway, with a certificate from a Secret that may be renewed at any time."""

from dataclasses import dataclass

from assay_operator.gateway.values import TYPES, Json, typed

NAME = "edge"


@dataclass(frozen=True, slots=True)
class Tls:
    """Where a gateway finds its certificate.

    Attributes:
        port: The HTTPS port.
        folder: Where the Secret is mounted: `tls.crt` and `tls.key`.
        source: The file that says so to Envoy, with the content of `certificate`.
    """

    port: int = 8443
    folder: str = "/etc/assay/tls"
    source: str = "/etc/envoy/tls.yaml"


def certificate(tls: Tls) -> Json:
    """Return the content of `source`; Envoy reads the Secret again whenever its folder changes."""
    secret = {
        "@type": f"{TYPES}extensions.transport_sockets.tls.v3.Secret",
        "name": NAME,
        "tls_certificate": {
            "certificate_chain": {"filename": f"{tls.folder}/tls.crt"},
            "private_key": {"filename": f"{tls.folder}/tls.key"},
            "watched_directory": {"path": tls.folder},
        },
    }
    return {"resources": [secret]}


def secured(tls: Tls) -> Json:
    """Return the part of a filter chain that makes it TLS 1.2 or newer."""
    source = {"path_config_source": {"path": tls.source}, "resource_api_version": "V3"}
    context = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [{"name": NAME, "sds_config": source}],
    }
    kind = "extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    return {"transport_socket": typed("envoy.transport_sockets.tls", kind, common_tls_context=context)}
