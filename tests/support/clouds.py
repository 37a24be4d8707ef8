"""Stores of other clouds, as servers of their protocols: each with a bucket, or container, `lake`."""

import base64
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from debian import TOOLS
from servers import free_port, running

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
    port = free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=lake", "--quiet"]
    url = f"http://127.0.0.1:{port}"

    def put(name: str, content: bytes) -> object:
        where = f"{url}/upload/storage/v1/b/lake/o?uploadType=media&name={name}"
        with urllib.request.urlopen(urllib.request.Request(where, content, method="POST")) as answer:
            return answer.read()

    with running([str(program), *words], port):
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

    port = free_port()
    words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    own = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with running([_azurite(), *words, "--skipApiVersionCheck", "--disableTelemetry"], port, **own):
        where = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
        connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{where};"
        client = BlobServiceClient.from_connection_string(connection)
        lake = client.create_container("lake")
        yield Cloud("az", {"AZURE_STORAGE_CONNECTION_STRING": connection}, lake.upload_blob)
        client.close()


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
