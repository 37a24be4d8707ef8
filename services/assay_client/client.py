"""The two clients: the same words, one waits and one awaits."""

import asyncio
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import httpx

from assay_client.outcome import Counts, Outcome
from assay_client.protocol import (
    BATCH,
    PATH,
    TIMEOUT,
    Bearer,
    Token,
    Unavailable,
    again,
    batches,
    request,
    understood,
)
from assay_outbox import Attempts

PATIENCE = 30.0


class Client:
    """Reports outcomes to a collector. Not for several threads at once."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Report to the collector at `url` with the application's token, trying for `patience` seconds.

        The token may be a function that reads it, which is asked for each request.
        """
        self._http = httpx.Client(base_url=url, auth=Bearer(token), timeout=TIMEOUT, transport=transport)
        self._passing = again(token)
        self._patience = patience
        self._gathered: list[Outcome] = []

    def send(self, outcomes: Iterable[Outcome]) -> Counts:
        """Return when all are durable.

        Raises:
            Rejected: Something is wrong with an outcome, or with the token; it holds what is left.
            Unavailable: The collector did not acknowledge in time; it holds what is left.
        """
        rest, counts = list(outcomes), Counts()
        for batch in batches(list(rest)):
            counts = counts.plus(self._send(batch, rest))
            del rest[: len(batch)]
        return counts

    def add(self, outcome: Outcome) -> None:
        """Gather outcomes; a full batch is sent at once. Raises as `send` does."""
        self._gathered.append(outcome)
        if len(self._gathered) >= BATCH:
            self.flush()

    def flush(self) -> Counts:
        """Send what is gathered. Raises as `send` does; what was not acknowledged stays gathered."""
        gathered, self._gathered = self._gathered, []
        try:
            return self.send(gathered)
        except Unavailable as error:
            self._gathered = error.outcomes
            raise

    def _send(self, batch: list[Outcome], rest: list[Outcome]) -> Counts:
        body, headers = request(batch)
        attempts = Attempts(self._patience)
        while True:
            try:
                result = understood(self._http.post(PATH, content=body, headers=headers), rest, self._passing)
            except httpx.TransportError as error:
                result = f"{type(error).__name__}: {error}"
            if isinstance(result, Counts):
                return result
            if (seconds := attempts.pause()) is None:
                raise Unavailable(result, rest)
            time.sleep(seconds)

    def close(self) -> None:
        """Send what is gathered and close."""
        try:
            self.flush()
        finally:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Reports outcomes to a collector from asyncio."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        patience: float = PATIENCE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Report to the collector at `url` with the application's token, trying for `patience` seconds.

        The token may be a function that reads it, which is asked for each request.
        """
        self._http = httpx.AsyncClient(base_url=url, auth=Bearer(token), timeout=TIMEOUT, transport=transport)
        self._passing = again(token)
        self._patience = patience
        self._gathered: list[Outcome] = []

    async def send(self, outcomes: Iterable[Outcome]) -> Counts:
        """Return when all are durable; raises as `Client.send` does."""
        rest, counts = list(outcomes), Counts()
        for batch in batches(list(rest)):
            counts = counts.plus(await self._send(batch, rest))
            del rest[: len(batch)]
        return counts

    async def add(self, outcome: Outcome) -> None:
        """Gather outcomes; a full batch is sent at once. Raises as `Client.send` does."""
        self._gathered.append(outcome)
        if len(self._gathered) >= BATCH:
            await self.flush()

    async def flush(self) -> Counts:
        """Send what is gathered; what was not acknowledged stays gathered. Raises as `Client.send` does."""
        gathered, self._gathered = self._gathered, []
        try:
            return await self.send(gathered)
        except Unavailable as error:
            self._gathered = error.outcomes + self._gathered
            raise

    async def _send(self, batch: list[Outcome], rest: list[Outcome]) -> Counts:
        body, headers = request(batch)
        attempts = Attempts(self._patience)
        while True:
            try:
                result = understood(
                    await self._http.post(PATH, content=body, headers=headers), rest, self._passing
                )
            except httpx.TransportError as error:
                result = f"{type(error).__name__}: {error}"
            if isinstance(result, Counts):
                return result
            if (seconds := attempts.pause()) is None:
                raise Unavailable(result, rest)
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Send what is gathered and close."""
        try:
            await self.flush()
        finally:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
