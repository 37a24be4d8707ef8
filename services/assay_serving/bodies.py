"""Request bodies: refused as soon as they are known to be too large or of a wrong type, before parsing."""

from starlette.requests import Request

from assay_serving.problems import Problem

JSON = "application/json"
DEADLINE = "x-envoy-expected-rq-timeout-ms"


async def content(request: Request, limit: int) -> bytes:
    """Return the body, with or without a declared length.

    Raises:
        Problem: 413, or 415 for a compressed body.
    """
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise Problem(415, "content-encoding", f"content-encoding {coding!r} is not read here; send it plain")
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def media_type(request: Request, known: frozenset[str]) -> str:
    """Return the type of the body; JSON when the client says nothing.

    Raises:
        Problem: 415.
    """
    given = request.headers.get("content-type")
    kind = given.partition(";")[0].strip().lower() if given else JSON
    if kind not in known:
        readable = ", ".join(sorted(known))
        raise Problem(415, "media-type", f"content-type {kind!r} is not read here; send {readable}")
    return kind


def patience(request: Request) -> float | None:
    """Return the seconds that the caller waits, as Envoy says."""
    given = request.headers.get(DEADLINE)
    return int(given) / 1000 if given is not None and given.isdecimal() and int(given) else None


def _too_large(limit: int) -> Problem:
    return Problem(413, "body-too-large", f"the body has more than {limit} bytes")
