"""What an Envoy is started with."""

import subprocess
import sysconfig
from pathlib import Path

import yaml
from envoy.config.bootstrap.v3 import bootstrap_pb2
from google.protobuf import json_format

from assay_operator.gateway import bootstrap


def test_envoy_itself_accepts_it_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text(yaml.safe_dump(bootstrap("assay-operator")))
    command = [sysconfig.get_path("scripts") + "/envoy", "--mode", "validate", "-c", str(file)]
    command += ["--service-node", "edge-1", "--service-cluster", "assay", "--log-level", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_admin_interface_is_on_loopback_only() -> None:
    text = bootstrap("assay-operator")
    assert text["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    (listener,) = text["static_resources"]["listeners"]
    (host,) = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    assert [route["match"] for route in host["routes"]] == [{"path": "/stats/prometheus"}]


def test_an_envoy_waits_for_the_operator_however_long_it_takes() -> None:
    dynamic = bootstrap("assay-operator")["dynamic_resources"]
    assert {dynamic[kind]["initial_fetch_timeout"] for kind in ("cds_config", "lds_config")} == {"0s"}


def test_the_operator_is_where_it_was_told_to_be() -> None:
    message = bootstrap_pb2.Bootstrap()
    plain = {k: v for k, v in bootstrap("operator.assay", 18_123).items() if k == "static_resources"}
    plain["static_resources"].pop("listeners")
    for cluster in plain["static_resources"]["clusters"]:
        cluster.pop("typed_extension_protocol_options", None)
    json_format.ParseDict(plain, message)
    assignment = message.static_resources.clusters[0].load_assignment
    address = assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert (address.address, address.port_value) == ("operator.assay", 18_123)
