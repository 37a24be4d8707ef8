"""What a caller is told when something is refused: problem+json (RFC 9457), with the field and the bar."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MOST_ERRORS = 20


class Problem(Exception):  # noqa: N818 - an answer, not a bug
    """A request that is refused."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what is wrong: `detail` to a person, `errors` (record from 0, field, message) to a program."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)[:MOST_ERRORS]
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return it as an answer."""
        body: dict[str, Any] = {
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(orjson.dumps(body), self.status, self.headers, "application/problem+json")


def unavailable(detail: str, seconds: int = 1) -> Problem:
    """Return a refusal that time heals."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(seconds)})
