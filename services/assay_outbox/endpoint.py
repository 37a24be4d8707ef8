"""Where to deliver by POST, with the standard library alone: for processes that have no HTTP client."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from assay_outbox.errors import Rejected, Unavailable
from assay_outbox.token import first_token

REJECTIONS = frozenset({400, 409, 413, 415, 422})  # of the body, which will not change
EXCERPT = 500  # bytes of an answer that are worth a log line

_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Endpoint:
    """A URL that takes POSTs.

    Attributes:
        url: Where to.
        token: File with the bearer token; read at every attempt, as it may change.
    """

    url: str
    token: Path

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> None:
        """Return when the body is acknowledged; `timeout` is in seconds, for each step of the exchange.

        Raises:
            Rejected: The server will never take this body.
            Unavailable: It is not there, is too busy, or does not know the token (yet).
        """
        try:
            sent = {**headers, "Authorization": f"Bearer {first_token(self.token.read_text())}"}
            with _opener.open(Request(self.url, body, sent, method="POST"), timeout=timeout):
                return  # by its status; what it says besides may be late
        except HTTPError as error:
            with error:
                reason = f"{error.code} {_excerpt(error)}"
            raise (Rejected if error.code in REJECTIONS else Unavailable)(reason) from error
        except (OSError, HTTPException, ValueError) as error:  # the last: a token that is no header
            raise Unavailable(f"{type(error).__name__}: {error}") from error


def _excerpt(error: HTTPError) -> str:
    try:
        return error.read(EXCERPT).decode(errors="replace")
    except (OSError, HTTPException):
        return "(its body broke off)"
