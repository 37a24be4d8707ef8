"""What both clients say and understand: batches, answers, and when to try again. No I/O."""

import gzip
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice

import httpx

from assay_client.outcome import Counts, Outcome

BATCH = 500  # outcomes in one request
WORTH_PACKING = 8_192  # bytes
SHORTEST, LONGEST = 0.1, 5.0  # seconds between attempts
MOST_DOUBLINGS = 10
PATH = "/v1/outcomes"
TIMEOUT = httpx.Timeout(10, connect=2)
AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

Token = str | Callable[[], str]


class Rejected(Exception):  # noqa: N818 - it is what happened
    """The collector refuses these outcomes for good; the message names the record and the field.

    Attributes:
        outcomes: Those of the batch that was refused, none of which is stored, and of all after it.
    """

    def __init__(self, reason: str, outcomes: Sequence[Outcome]) -> None:
        """Keep what was not acknowledged."""
        super().__init__(reason)
        self.outcomes = list(outcomes)


class Unavailable(Exception):  # noqa: N818 - it is what happened
    """Outcomes that were not acknowledged in time. Send them again: they have their ids.

    Attributes:
        outcomes: Those of the batch that failed and of all after it.
    """

    def __init__(self, reason: str, outcomes: Sequence[Outcome]) -> None:
        """Keep what was not acknowledged."""
        super().__init__(f"{reason}; {len(outcomes)} outcomes are not acknowledged")
        self.outcomes = list(outcomes)


class Bearer(httpx.Auth):
    """Sends the token that there is at the moment: Secrets are changed in place, without a restart."""

    def __init__(self, token: Token) -> None:
        """Take the token, or what reads it; of several lines the first, as the others come or go."""
        self._read = token if callable(token) else lambda: token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """See httpx."""
        request.headers["Authorization"] = "Bearer " + self._read().strip().partition("\n")[0].strip()
        yield request


class Attempts:
    """The attempts at one batch: when to make the next, and when to give up."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Go on for `patience` seconds."""
        self._clock = clock
        self._until = clock() + patience
        self._made = 0

    def pause(self) -> float | None:
        """Return how many seconds to wait before the next attempt, or None when the time is up."""
        self._made += 1
        longest: float = min(LONGEST, SHORTEST * 2 ** min(self._made, MOST_DOUBLINGS))
        seconds = random.uniform(longest / 2, longest)
        return seconds if self._clock() + seconds < self._until else None


def batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Cut into batches of the right size."""
    rest = iter(outcomes)
    while batch := list(islice(rest, BATCH)):
        yield batch


def request(outcomes: Sequence[Outcome]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers for a batch."""
    body = "\n".join(json.dumps(outcome.record(), separators=(",", ":")) for outcome in outcomes).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    if len(body) > WORTH_PACKING:
        return gzip.compress(body, compresslevel=1), headers | {"Content-Encoding": "gzip"}
    return body, headers


def again(token: Token) -> frozenset[HTTPStatus]:
    """Return the refusals that pass by: 401 too, where the next token may be the right one."""
    return AGAIN | {HTTPStatus.UNAUTHORIZED} if callable(token) else AGAIN


def understood(
    answer: httpx.Response, rest: Sequence[Outcome], passing: frozenset[HTTPStatus]
) -> Counts | str:
    """Return what became of the outcomes, or the reason to try again.

    Raises:
        Rejected: Trying again is no use; it holds `rest`.
    """
    if answer.status_code == HTTPStatus.OK:
        return Counts.of(answer.json())
    problem = f"{answer.status_code} {answer.text[:500]}"
    if answer.status_code in passing or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem
    raise Rejected(problem, rest)
