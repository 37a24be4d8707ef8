"""Posts records to the collector. What it takes is durable there; what it can't take stays here."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from assay_outbox import Unavailable, first_token, ndjson
from assay_shipper.telemetry import Telemetry

log = logging.getLogger(__name__)

Record = dict[str, Any]

COUNTS_SECONDS = 2.0  # for counts of answers, behind which exposures wait
BAD = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


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
        body, headers = ndjson(records)
        try:
            headers["Authorization"] = f"Bearer {first_token(self._token.read_text())}"
            return self._client.post(path, content=body, headers=headers, **more)
        except (httpx.HTTPError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
