"""How far a training is: its leading worker says so on a port of its pod."""

import json
from typing import Any, Protocol

import httpx

_PATIENCE = httpx.Timeout(1, connect=0.5)
_LONGEST = 4096


class Trainings(Protocol):
    """Those who can be asked how far they are."""

    async def progress(self, address: str, port: int) -> dict[str, Any]:
        """Return what a worker says of its study; nothing, if it does not answer. Takes a second at most."""


class NoTrainings:
    """Nobody answers."""

    async def progress(self, address: str, port: int) -> dict[str, Any]:  # noqa: ARG002
        """Return nothing."""
        return {}


class Workers:
    """Asks over HTTP; what comes from a pod is small, or not believed."""

    async def progress(self, address: str, port: int) -> dict[str, Any]:
        """See `Trainings.progress`."""
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as client:
                answer = await client.get(f"http://{address}:{port}/progress")
            told = json.loads(answer.content[:_LONGEST]) if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}
