"""Who may do what: a token per role, read from files that may change at any time (a mounted Secret).

A file may have several tokens, a line each, and each is good: while a Secret travels to those who show
the first of them, nobody is refused.
"""

import hmac
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path

from assay_collector.problem import Problem
from assay_drift.token import holder

Stamp = tuple[int, int, int]


class Role(StrEnum):
    """Who asks. The name is that of the file with the token."""

    OPERATOR = "operator"
    GATEWAY = "gateway"
    APPLICATION = "application"


PREDICTOR = "predictor"  # its file is a key: every namespace has a token of its own, made with it


class SecretFile:
    """The content of a file, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self._path = path
        self._stamp: Stamp | None = None
        self._content = b""

    def read(self) -> bytes:
        """Return the content without surrounding white space; empty if there is no such file."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp != self._stamp:
                self._content = self._path.read_bytes().strip()
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._content = None, b""
        return self._content

    def lines(self) -> list[bytes]:
        """Return the lines that are not empty."""
        return [line for each in self.read().splitlines() if (line := each.strip())]


class Tokens:
    """Knows the roles by their tokens."""

    def __init__(self, folder: Path) -> None:
        """Look in `folder` for a file per role."""
        self._files = {role: SecretFile(folder / role) for role in Role}
        self._keys = SecretFile(folder / PREDICTOR)

    def check(self, authorization: str, *allowed: Role) -> None:
        """Let one of the allowed roles pass.

        Raises:
            Problem: 401 for a token that nobody has, 403 for another role's.
        """
        role = self._role(_bearer(authorization).encode())
        if role is None:
            raise _unauthorized()
        if role not in allowed:
            detail = f"this needs the token of role {' or '.join(allowed)}, not that of {role}"
            raise Problem(HTTPStatus.FORBIDDEN, detail)

    def namespace(self, authorization: str) -> str:
        """Return the namespace whose predictors have this token.

        Raises:
            Problem: 401 for a token that is nobody's.
        """
        token = _bearer(authorization)
        holders = (holder(key, token) for key in self._keys.lines())
        found = next((namespace for namespace in holders if namespace is not None), None)
        if found is None:
            raise _unauthorized()
        return found

    def _role(self, token: bytes) -> Role | None:
        found = None
        for role, file in self._files.items():
            if any([hmac.compare_digest(known, token) for known in file.lines()]):
                found = role
        return found


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized() -> Problem:
    detail = "no valid bearer token in Authorization"
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
