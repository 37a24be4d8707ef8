"""Which model answers, and what the gateway says when none does; a real Envoy."""

import asyncio
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

HOSTS = [
    "churn.demo",
    "churn.demo.svc",
    "churn.demo.svc.cluster.local",
    "churn.demo.svc.cluster.local.",
    "churn.demo.svc.another.domain",
    "Churn.DEMO.svc",
]


@pytest.mark.parametrize("port", ["", ":80", ":8080"], ids=["no port", "the Service's port", "another port"])
@pytest.mark.parametrize("host", HOSTS)
async def test_every_name_of_the_service_reaches_the_model(
    lab: Any, gateway: Any, servers: Any, host: str, port: str
) -> None:
    await gateway.publish(lab.churn(servers[0].backend))
    answer = await gateway.caller().ask(host + port)
    assert (answer.status, answer.arm, answer.version, answer.body) == (200, "none", "v1", b"v1\n")


async def test_the_path_prefix_reaches_the_model_and_is_taken_off(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    arms = {"control": v1.backend, "boosted": v2.backend}
    await gateway.publish(lab.churn(v1.backend, lab.split(arms)))
    caller = gateway.caller()
    by_path = [
        await caller.ask("localhost:8080", f"u{i}", path="/models/demo/churn/predict") for i in range(40)
    ]
    by_host = [await caller.ask("churn.demo", f"u{i}") for i in range(40)]
    assert [a.arm for a in by_path] == [a.arm for a in by_host]
    assert {answer.arm for answer in by_path} == {"control", "boosted"}
    assert set(v1.paths) | set(v2.paths) == {"/predict"}


@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param("nobody.demo", "/predict", id="a model that is not there"),
        pytest.param("localhost", "/models/demo/nobody/predict", id="a path to one"),
        pytest.param("localhost", "/models/demo/churn-2/predict", id="a name that begins with another's"),
        pytest.param("churn.demo.evil.example", "/", id="a longer host"),
    ],
)
async def test_an_unknown_model_is_a_404_in_json(
    lab: Any, gateway: Any, servers: Any, host: str, path: str
) -> None:
    await gateway.publish(lab.churn(servers[0].backend))
    answer = await gateway.caller().ask(host, path=path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "UnknownModel"


async def test_a_model_without_a_ready_endpoint_is_a_503_in_json(lab: Any, gateway: Any) -> None:
    await gateway.publish(lab.churn(lab.Backend("v1")))
    answer = await gateway.caller().ask("churn.demo")
    assert answer.status == 503
    assert answer.json()["error"]["code"] == "ModelUnavailable"


async def test_a_gateway_is_ready_when_it_has_routes(lab: Any, gateway: Any) -> None:
    await lab.until(gateway.ready)


async def test_a_gateway_is_not_ready_before_it_found_the_operator(lab: Any, tmp_path: Path) -> None:
    alone = lab.Gateway(tmp_path)
    with lab.envoy(tmp_path, alone.xds_port) as process:
        await lab.until(lambda: process.stat("cluster.operator.upstream_cx_connect_fail") > 1)
        assert not await alone.ready()
        await alone.ads.start(alone.xds_port, "127.0.0.1")
        await lab.until(alone.ready)
        await alone.close()


async def test_callers_choose_neither_arm_nor_request_id_nor_retries(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend})))
    forged = [
        ("x-assay-arm", "boosted"),
        ("x-assay-unit", "somebody-else"),
        ("x-assay-anything", "at all"),
        ("x-request-id", "mine"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-max-retries", "9"),
    ]
    answer = await gateway.caller().ask("churn.demo", headers=forged)
    (record,) = await gateway.log(1)
    assert answer.arm == "none"
    assert record["assigned"] == "none"
    assert record["unit"] is None
    assert record["id"] == answer.headers["x-request-id"] != "mine"
    assert not {name for name in v1.received[-1] if name.startswith("x-envoy")} - {
        "x-envoy-expected-rq-timeout-ms"
    }
    assert "x-assay-anything" not in v1.received[-1]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["a", "b"], id="sent twice"),
        pytest.param(["", "a"], id="sent empty and again"),
        pytest.param(["a,b"], id="joined by a proxy"),
    ],
)
async def test_a_unit_that_is_not_one_value_is_refused(
    lab: Any, gateway: Any, servers: Any, values: list[str]
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend})))
    answer = await gateway.caller().ask("churn.demo", headers=[("x-user-id", value) for value in values])
    assert answer.status == 400
    assert "sent once" in answer.json()["error"]["message"]
    assert not v1.received + v2.received


@pytest.mark.parametrize("unit", [None, ""], ids=["no header", "an empty header"])
async def test_strangers_see_the_champion_and_enter_no_arm(
    lab: Any, gateway: Any, servers: Any, unit: str | None
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend})))
    caller = gateway.caller()
    answers = [await caller.ask("churn.demo", unit) for _ in range(50)]
    assert {(a.status, a.arm, a.version) for a in answers} == {(200, "none", "v1")}
    log = await gateway.log(50)
    assert {(r["assigned"], r["served"], r["experiment"], r["unit"]) for r in log} == {
        ("none", "champion", None, None)
    }
    assert {(r["namespace"], r["model"]) for r in log} == {("demo", "churn")}


async def test_too_large_a_body_is_refused_and_nothing_else_suffers(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(lab.churn(servers[0].backend))
    answer = await gateway.caller().ask("churn.demo", body=b"x" * (gateway.edge.max_request_bytes + 1))
    assert answer.status == 413
    assert answer.json()["error"]["code"] == "RequestTooLarge"
    assert (await gateway.caller().ask("churn.demo", body=b"x" * 2**20)).status == 200
    assert len(servers[0].received) == 1


async def test_too_large_headers_are_refused(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend))
    answer = await gateway.caller().ask("churn.demo", headers=[("x-junk", "j" * 70 * 1024)])
    assert answer.status == 431


@pytest.mark.slow
async def test_a_caller_that_trickles_its_headers_is_given_up_and_nobody_else_waits(
    lab: Any, gateway: Any, servers: Any
) -> None:
    """A byte now and then keeps no connection for longer than ten seconds."""
    await gateway.publish(lab.churn(servers[0].backend))
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.edge.port)
    writer.write(b"POST /predict HTTP/1.1\r\nhost: churn.demo\r\nx-slow: ")
    begin, loris = time.monotonic(), asyncio.create_task(reader.readexactly(12))
    while not loris.done() and time.monotonic() - begin < 30:
        writer.write(b"z")
        assert (await gateway.caller().ask("churn.demo")).status == 200
        await asyncio.wait({loris}, timeout=0.5)
    assert await loris == b"HTTP/1.1 408"
    assert 9 < time.monotonic() - begin < 20
    writer.close()


async def test_only_statistics_are_reachable_from_outside_the_pod(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend})))
    caller = gateway.caller()
    assert {(await caller.ask("churn.demo", f"u{i}")).status for i in range(20)} == {200}
    page = await asyncio.to_thread(_get, f"http://127.0.0.1:{gateway.envoy.stats}/stats/prometheus")
    wanted = 'assay_namespace="demo",assay_model="churn",assay_arm="boosted",assay_version="v2"'
    labels = {line.split("{")[1].split("}")[0] for line in page.splitlines() if "upstream_rq_total{" in line}
    assert any(set(wanted.split(",")) <= set(label.split(",")) for label in labels), labels
    with pytest.raises(urllib.request.HTTPError, match="404"):
        await asyncio.to_thread(_get, f"http://127.0.0.1:{gateway.envoy.stats}/config_dump")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return str(reply.read().decode())
