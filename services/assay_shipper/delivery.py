"""Posts records to the collector. What it takes is durable there; what it can't take stays here."""

import gzip
import json
import logging
import random
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from assay_shipper.telemetry import Telemetry

log = logging.getLogger(__name__)

Record = dict[str, Any]

WORTH_PACKING = 8_192  # bytes
SHORTEST, LONGEST = 0.1, 5.0
COUNTS_SECONDS = 2.0  # for counts of answers, behind which exposures wait
BAD = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class Unavailable(Exception):  # noqa: N818 - nobody's fault: it will be tried again
    """The collector did not acknowledge; send the same again later."""


class Delivery:
    """A connection to the collector."""

    def __init__(self, client: httpx.Client, token: Path, telemetry: Telemetry) -> None:
        """Use `client`, which knows the collector's address, and the token in a file."""
        self._client = client
        self._token = token
        self._telemetry = telemetry

    def send(self, records: Sequence[Record]) -> None:
        """Return once every record is acknowledged, or refused for good and counted.

        Raises:
            Unavailable: Not now. Sending what was acknowledged again does no harm.
        """
        if not records:
            return
        answer = self._post(records)
        if answer.status_code in BAD:
            self._divide(records, answer)
        elif answer.status_code != HTTPStatus.OK:
            raise Unavailable(f"{answer.status_code} {answer.text[:300]}")
        else:
            self._acknowledged(len(records), answer)

    def count(self, records: Sequence[Record]) -> None:
        """Report counts of answers; those that are refused for good are given up.

        Raises:
            Unavailable: Not now.
        """
        answer = self._post(records, "/v1/answers", timeout=COUNTS_SECONDS)
        if answer.status_code in {*BAD, HTTPStatus.NOT_FOUND}:
            self._telemetry.refused.inc(len(records))
            log.error("the collector refuses counts of answers: %s", answer.text[:300])
        elif answer.status_code != HTTPStatus.OK:
            raise Unavailable(f"{answer.status_code} {answer.text[:300]}")

    def _acknowledged(self, number: int, answer: httpx.Response) -> None:
        unknown = int(answer.json().get("unknown", 0))
        self._telemetry.sent.inc(number)
        if unknown:
            self._telemetry.unknown.inc(unknown)
            log.warning("the collector does not know the Experiment or the arm of %d exposures", unknown)

    def _divide(self, records: Sequence[Record], answer: httpx.Response) -> None:
        """Find the record that can't be taken, so that it does not hold up the others."""
        if len(records) == 1:
            self._telemetry.refused.inc()
            log.error("the collector refuses an exposure: %s", answer.text[:300])
            return
        middle = len(records) // 2
        self.send(records[:middle])
        self.send(records[middle:])

    def _post(self, records: Sequence[Record], path: str = "/v1/exposures", **more: Any) -> httpx.Response:
        body = "\n".join(json.dumps(record, separators=(",", ":")) for record in records).encode()
        headers = {"Content-Type": "application/x-ndjson"}
        if len(body) > WORTH_PACKING:
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=1), "gzip"
        try:
            headers["Authorization"] = f"Bearer {self._shown()}"
            return self._client.post(path, content=body, headers=headers, **more)
        except (httpx.HTTPError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    def _shown(self) -> str:
        """Return the first token of the file; those on further lines are on their way in or out."""
        return self._token.read_text().strip().partition("\n")[0].strip()


class Backoff:
    """When to try again: later and later, and never all gateways at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Try at once."""
        self._clock = clock
        self._pause = 0.0
        self._next = 0.0
        self._since: float | None = None

    def failed(self) -> None:
        """Wait longer than last time."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        self._pause = min(LONGEST, max(SHORTEST, self._pause * 2))
        self._next = now + self._pause * random.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        """Wait no more."""
        self._pause, self._next, self._since = 0.0, 0.0, None

    def ready(self) -> bool:
        """Tell whether it is time."""
        return self._clock() >= self._next

    def blocked(self) -> float:
        """Return for how many seconds nothing has gone through."""
        return 0.0 if self._since is None else self._clock() - self._since
