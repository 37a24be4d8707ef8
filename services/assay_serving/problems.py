"""Every answer that is no prediction: problem details (RFC 9457) that name the row and the column."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818  the term of the standard
    """An answer other than success, with what the caller can do about it."""

    def __init__(self, status: int, code: str, detail: str, **where: Any) -> None:
        """Say the HTTP status, a word for machines, a sentence for people, and where it is."""
        super().__init__(detail)
        self.status, self.code, self.where = status, code, where
        self.headers: dict[str, str] = {}

    def after(self, seconds: int) -> "Problem":
        """Tell the caller when to come again."""
        self.headers["retry-after"] = str(seconds)
        return self

    def body(self) -> Mapping[str, Any]:
        """Return the members of the problem details object."""
        return {
            "type": f"urn:assay:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            **self.where,
        }

    def response(self) -> Response:
        """Return the answer."""
        return Response(orjson.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)
