"""HTTPS with a certificate that is renewed while connections are open; a real Envoy, real certificates."""

import asyncio
import dataclasses
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay_operator.gateway import Tls, certificate
from assay_operator.xds import AdsServer

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make certificates")


def issue(folder: Path, revision: str, name: str) -> None:
    """Put a certificate where kubelet would: a new folder, and a link that is moved to it."""
    target = folder / revision
    target.mkdir()
    files = ["-keyout", str(target / "tls.key"), "-out", str(target / "tls.crt")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=30)
    (folder / "..new").symlink_to(target)
    (folder / "..new").rename(folder / "..data")
    for file in ("tls.crt", "tls.key"):
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(Path("..data") / file)


async def peer(port: int) -> bytes:
    """Return the certificate that the gateway shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return shown


async def test_a_renewed_certificate_is_shown_without_a_restart(
    lab: Any, servers: Any, tmp_path: Path
) -> None:
    folder, source = tmp_path / "tls", tmp_path / "tls.yaml"
    folder.mkdir()
    issue(folder, "one", "first.example")
    gateway = lab.Gateway(tmp_path)
    tls = Tls(port=lab.free_port(), folder=str(folder), source=str(source))
    source.write_text(yaml.safe_dump(certificate(tls)))
    gateway.ads = AdsServer(dataclasses.replace(gateway.edge, tls=tls))
    await gateway.ads.start(gateway.xds_port, "127.0.0.1")
    with lab.envoy(tmp_path, gateway.xds_port):
        await gateway.publish(lab.churn(servers[0].backend))
        first = await peer(tls.port)
        issue(folder, "two", "second.example")

        async def renewed() -> bool:
            return await peer(tls.port) != first

        await lab.until(renewed)
        assert b"second.example" in await peer(tls.port)
        assert (await gateway.caller().ask("churn.demo")).status == 200
        await gateway.close()


async def test_a_gateway_without_the_secret_serves_on_and_says_what_is_missing(
    lab: Any, servers: Any, gateway: Any, tmp_path: Path
) -> None:
    """An upgrade that brings HTTPS meets gateways that were started without it."""
    await gateway.publish(lab.churn(servers[0].backend))
    tls = Tls(port=lab.free_port(), folder=str(tmp_path), source=str(tmp_path / "missing.yaml"))
    gateway.edge = dataclasses.replace(gateway.edge, tls=tls)
    await gateway.restart_operator(lab.churn(servers[0].backend))
    ref = lab.Ref("demo", "churn")
    await lab.until(lambda: "missing.yaml" in gateway.ads.programmed(ref).message)
    assert (await gateway.caller().ask("churn.demo")).status == 200
    assert not gateway.ads.programmed(ref).done


async def test_https_reaches_models_as_http_does(lab: Any, servers: Any, tmp_path: Path) -> None:
    folder, source = tmp_path / "tls", tmp_path / "tls.yaml"
    folder.mkdir()
    issue(folder, "one", "churn.demo")
    gateway = lab.Gateway(tmp_path)
    tls = Tls(port=lab.free_port(), folder=str(folder), source=str(source))
    source.write_text(yaml.safe_dump(certificate(tls)))
    gateway.ads = AdsServer(dataclasses.replace(gateway.edge, tls=tls))
    await gateway.ads.start(gateway.xds_port, "127.0.0.1")
    with lab.envoy(tmp_path, gateway.xds_port):
        await gateway.publish(lab.churn(servers[0].backend))
        context = ssl.create_default_context(cafile=str(folder / "tls.crt"))
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", tls.port, ssl=context, server_hostname="churn.demo"
        )
        writer.write(b"GET /predict HTTP/1.1\r\nhost: churn.demo\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        await gateway.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"v1\n")
