"""A model behind HTTP, as an image is: named rows go out as JSON, one object for each comes back."""

import http.client
import json
import logging
import time
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pandas

log = logging.getLogger(__name__)

Row = dict[str, Any]
BATCH = 100  # rows in a request
START, ANSWER = 300.0, 60.0  # seconds: until it is ready, as a predictor may take; for one answer
LARGEST = 64 << 20  # bytes of an answer; what is cut off is no JSON
PAUSES = (0.2, 1.0, 3.0, 9.0)  # seconds before a request is sent again
_OK, _NOT_FOUND, _BUSY = 200, 404, frozenset({429, 502, 503, 504})
_BROKEN = (OSError, http.client.HTTPException)


class Unanswered(Exception):  # noqa: N818  it reads as what happened
    """It did not answer as it should; the message says what was asked, and what came."""


class Endpoint(NamedTuple):
    """Where a model answers.

    Attributes:
        url: Scheme, host and port.
        path: Of predictions.
    """

    url: str
    path: str

    def ready(self, path: str, patience: float = START) -> None:
        """Wait until it says that it can predict.

        Raises:
            Unanswered: It does not in time; the message has its last words.
        """
        end, problem = time.monotonic() + patience, ""
        while time.monotonic() < end:
            try:
                status, _ = self._sent("GET", path, None, min(ANSWER, patience))
                if status == _OK:
                    return
                problem = f"it answers {status}"
            except _BROKEN as error:
                problem = _words(error)
            time.sleep(PAUSES[0])
        raise Unanswered(f"GET {self.url}{path} was not answered with 200 in {patience:g} s: {problem}")

    def ask(self, rows: list[Row]) -> list[Row]:
        """Return one answer for each row.

        Raises:
            Unanswered: It is not there, refuses or fails, or its answer has another shape.
        """
        where = f"POST {self.url}{self.path}"
        status, content = self._kept_asking(json.dumps({"rows": rows}, allow_nan=False).encode(), where)
        if status != _OK:
            advice = "; image.predictPath says where it answers" if status == _NOT_FOUND else ""
            raise Unanswered(f"{where} answered {status}: {_text(content)}{advice}")
        return _predictions(content, len(rows), where)

    def _kept_asking(self, body: bytes, where: str) -> tuple[int, bytes]:
        """Ask again where that may help: a connection breaks, a server has too much to do."""
        for pause in (*PAUSES, None):
            try:
                status, content = self._sent("POST", self.path, body, ANSWER)
                if status not in _BUSY or pause is None:
                    return status, content
                problem = f"{status}"
            except _BROKEN as error:
                problem = _words(error)
                if pause is None:
                    break
            log.warning("%s: %s, asked again in %g s", where, problem, pause)
            time.sleep(pause)
        raise Unanswered(f"{where} has no answer: {problem}")

    def _sent(self, method: str, path: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=seconds)
        try:
            line.request(method, path, body, {"content-type": "application/json"} if body else {})
            answer = line.getresponse()
            return answer.status, answer.read(LARGEST)
        finally:
            line.close()


def batches(frame: pandas.DataFrame) -> Iterator[list[Row]]:
    """Rows as JSON can say them, nulls as null, so many at a time.

    Raises:
        ValueError: A number is infinite.
    """
    for start in range(0, len(frame), BATCH):
        part = frame.iloc[start : start + BATCH].astype(object)
        yield [
            {name: _plain(value) for name, value in row.items()}
            for row in part.where(part.notna(), None).to_dict("records")
        ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError("a number is infinite, which JSON cannot say")
    if isinstance(value, date):  # times are dates too
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _predictions(content: bytes, wanted: int, where: str) -> list[Row]:
    shape = 'expected {"predictions": [one object for each row]}'
    try:
        parsed = json.loads(content)
    except ValueError:
        raise Unanswered(f"{where} answered no JSON but {_text(content)}; {shape}") from None
    found = parsed.get("predictions") if isinstance(parsed, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unanswered(f"{where} answered {_text(content)}; {shape}")
    if len(found) != wanted:
        raise Unanswered(f"{where} gave {len(found)} answers to {wanted} rows; {shape}")
    return found


def _text(content: bytes) -> str:
    text = " ".join(content[:2000].decode(errors="replace").split())
    return text[:200] or "nothing"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
