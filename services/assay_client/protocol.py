"""What both clients say and understand: batches, answers, and when to try again. No I/O."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice

import httpx

import assay_outbox
from assay_client.outcome import Counts, Outcome
from assay_outbox import first_token, ndjson

BATCH = 500  # outcomes in one request
PATH = "/v1/outcomes"
TIMEOUT = httpx.Timeout(10, connect=2)
AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

Token = str | Callable[[], str]


class Rejected(assay_outbox.Rejected):
    """The collector refuses these outcomes for good; the message names the record and the field.

    Attributes:
        outcomes: Those of the batch that was refused, none of which is stored, and of all after it.
    """

    def __init__(self, reason: str, outcomes: Sequence[Outcome]) -> None:
        """Keep what was not acknowledged."""
        super().__init__(reason)
        self.outcomes = list(outcomes)


class Unavailable(assay_outbox.Unavailable):
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
        request.headers["Authorization"] = "Bearer " + first_token(self._read())
        yield request


def batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Cut into batches of the right size."""
    rest = iter(outcomes)
    while batch := list(islice(rest, BATCH)):
        yield batch


def request(outcomes: Iterable[Outcome]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers for a batch."""
    return ndjson(outcome.record() for outcome in outcomes)


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
