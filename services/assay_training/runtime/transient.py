"""Which failures may be over when the same job is tried again: what it needs does not answer, or is too busy.

A refusal never passes by itself, nor does what is not there: 401, 403, 404, a wrong query.
"""

import errno
from collections.abc import Iterator

_BUSY = frozenset({408, 429, *range(500, 600)})
_ERRNOS = frozenset(
    {
        errno.EBUSY,  # what s3fs makes of SlowDown and 503
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
    }
)
_UNREACHED = frozenset(
    {
        *("ClientConnectionError", "ClientPayloadError"),  # aiohttp
        *("ConnectionError", "HTTPClientError"),  # requests and botocore
        *("ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ResponseStreamingError"),
        *("ServiceRequestError", "ServiceResponseError"),  # azure
        *("TransportError", "gaierror"),  # google, and names that do not resolve
    }
)
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "DefaultCredentialsError", "RefreshError"})
_CLASSES_OF_SQL = ("08", "53", "57P")  # connection, too little of something, the server stops or starts
_STARTING = ("starting up", "shutting down", "in recovery mode", "too many", "connection slots")
_LOST = ("database is locked",)  # SQLite's


def may_pass(error: BaseException) -> bool:
    """Tell whether a store did not answer; of several causes the outermost one that says why counts."""
    for cause in _chain(error):
        status = status_of(cause)
        if status is not None:
            return status in _BUSY
        if isinstance(cause, PermissionError) or type(cause).__name__ in _NO_CREDENTIALS:
            return False
        if _is_unreached(cause):
            return True
    return False


def status_of(error: BaseException) -> int | None:
    """Return the status of an HTTP answer, which each client keeps under a name of its own."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore's
        return _number(answer.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    found = (_number(getattr(error, name, None)) for name in ("status", "status_code", "code"))
    return next((status for status in found if status is not None), None)


def database_may_pass(error: BaseException) -> bool:
    """Tell whether a database was not there, or could not take the connection; `error` has its driver's."""
    found = (getattr(cause, "orig", None) for cause in _chain(error))
    original = next((driver for driver in found if isinstance(driver, BaseException)), None)
    if original is None:
        return False
    state, text = getattr(original, "sqlstate", None), str(original)
    if state:
        return str(state).startswith(_CLASSES_OF_SQL)
    if any(words in text for words in (*_STARTING, *_LOST)):
        return True
    return type(original).__module__.startswith("psycopg") and _is_lost(original, text)


def _is_lost(original: BaseException, text: str) -> bool:
    """Without a state there was no answer, unless the server refused the connection in its own words."""
    return type(original).__name__ in {"OperationalError", "ConnectionTimeout"} and "FATAL" not in text


def _is_unreached(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    return any(kind.__name__ in _UNREACHED for kind in type(error).__mro__)


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) == len("404") else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give the error and its causes, those too that are not shown to people."""
    met: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in met:
        met.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
