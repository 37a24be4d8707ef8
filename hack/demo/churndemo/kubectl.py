"""kubectl, as a person would use it: the demo does nothing that the README doesn't show by hand."""

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any


class KubectlError(RuntimeError):
    """kubectl refused; the message is what it said."""


class Kubectl:
    """One cluster, named by its kubeconfig."""

    def __init__(self, kubeconfig: Path, program: str = "kubectl") -> None:
        self.program = program
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    async def __call__(self, *words: str, given: str | None = None) -> str:
        """Run one command and return what it printed.

        Raises:
            KubectlError: It failed.
        """
        return await run(self.program, *words, given=given, environment=self.environment)

    async def apply(self, *things: dict[str, Any]) -> None:
        """Apply objects, on the server's side: a ConfigMap may be too large for an annotation."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
        await self("apply", "--server-side", "--force-conflicts", "-f", "-", given=body)

    async def apply_file(self, path: Path) -> None:
        """Apply a file, in the plain way."""
        await self("apply", "-f", str(path))

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Return one object."""
        found: dict[str, Any] = json.loads(await self("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    async def secret(self, name: str, namespace: str, key: str) -> str:
        """Return one value of a Secret, its first line: while a token changes there are two."""
        data = (await self.get("secret", name, namespace))["data"]
        return base64.b64decode(data[key]).decode().partition("\n")[0]

    async def cluster_ip(self, service: str, namespace: str) -> str:
        """Return the address of a Service inside the cluster, or of the one that it is an alias of."""
        spec = (await self.get("service", service, namespace))["spec"]
        if alias := spec.get("externalName"):
            return await self.cluster_ip(*alias.split(".")[:2])
        return str(spec["clusterIP"])


async def run(*words: str, given: str | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        KubectlError: Its exit status is not 0; the message has the command and the end of what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate(given.encode() if given is not None else None)
    if process.returncode:
        output = (err or out).decode(errors="replace").strip()
        raise KubectlError(f"{' '.join(words[:6])}: {output[-2000:]}")
    return out.decode()
