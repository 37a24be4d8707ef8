"""Stores of other clouds, as servers of their protocols: each with a bucket, or container, `lake`."""

import base64
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from debian import TOOLS

AZURITE = "3.35.0"
ACCOUNT, KEY = "assay", base64.b64encode(b"k" * 64).decode()


class Cloud(NamedTuple):
    """How its URLs begin, the environment of who may use it, and what puts an object into its lake."""

    scheme: str
    environment: dict[str, str]
    put: Callable[[str, bytes], object]


@contextmanager
def google() -> Iterator[Cloud]:
    """Run what speaks Google's protocol; it believes everybody."""
    port = _free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=lake", "--quiet"]
    url = f"http://127.0.0.1:{port}"

    def put(name: str, content: bytes) -> object:
        where = f"{url}/upload/storage/v1/b/lake/o?uploadType=media&name={name}"
        with urllib.request.urlopen(urllib.request.Request(where, content, method="POST")) as answer:
            return answer.read()

    with _running([str(program), *words], port):
        yield Cloud("gs", google_environment(url), put)


def google_environment(url: str) -> dict[str, str]:
    """Return what sends Google's client to a server, as nobody in particular."""
    return {
        "STORAGE_EMULATOR_HOST": url,
        "FSSPEC_GCS": '{"token": "anon"}',
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # as in the images
    }


@contextmanager
def azure() -> Iterator[Cloud]:
    """Run what speaks Azure's protocol, with one account."""
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - only here

    port = _free_port()
    words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    own = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with _running([_azurite(), *words, "--skipApiVersionCheck", "--disableTelemetry"], port, **own):
        environment = azure_environment(port, KEY)
        client = BlobServiceClient.from_connection_string(*environment.values())
        lake = client.create_container("lake")
        yield Cloud("az", environment, lake.upload_blob)
        client.close()


def azure_environment(port: int, key: str) -> dict[str, str]:
    """Return what sends Azure's client to a server."""
    where = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
    told = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};{where};"
    return {"AZURE_STORAGE_CONNECTION_STRING": told}


def _azurite() -> str:
    """Return the program: installed, cached, or from npm."""
    if found := shutil.which("azurite-blob"):
        return found
    folder = TOOLS / f"azurite-{AZURITE}"
    program = folder / "node_modules/.bin/azurite-blob"
    if not program.exists():
        if not shutil.which("npm"):
            pytest.skip("needs azurite-blob on the PATH, or npm")
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder)]
        subprocess.run([*command, f"azurite@{AZURITE}"], check=True, timeout=300)
    return str(program)


@contextmanager
def _running(command: list[str], port: int, **environment: str) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, env={**os.environ, **environment})
    try:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
