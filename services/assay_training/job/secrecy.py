"""Messages leave the pod in its status, which more people may read than the Secrets that it was given."""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

LONGEST = 1500  # characters of a message
SHORTEST = 6  # characters of a secret; shorter values are words that any message holds
HIDDEN = "[hidden]"
# Of the container and its image: no secrets, but parts of paths that messages need.
PLAIN = frozenset({
    "ASSAY_JOB", "ASSAY_LOG_LEVEL", "ASSAY_PROGRESS_PORT", "ASSAY_TERMINATION_LOG", "HOME", "HOSTNAME",
    "LANG", "PATH", "PWD", "PYTHONPATH", "SHELL", "TMPDIR", "VIRTUAL_ENV",
})  # fmt: skip


def scrubbed(message: str, environment: Mapping[str, str]) -> str:
    """Return a message without the values of the environment, cut.

    >>> scrubbed("cannot reach db: password 'tr0ub4dor'", {"PGPASSWORD": "tr0ub4dor"})
    "cannot reach db: password '[hidden]'"
    """
    for secret in sorted(_secrets(environment), key=len, reverse=True):  # before what is part of it
        message = message.replace(secret, HIDDEN)
    return message[:LONGEST]


def _secrets(environment: Mapping[str, str]) -> set[str]:
    values = [value for name, value in environment.items() if name not in PLAIN]
    spelled = {form for value in values for part in _parts(value) for form in (part, repr(part)[1:-1])}
    return {form for form in spelled if len(form) >= SHORTEST}


def _parts(value: str) -> list[str]:
    """Return a value, its lines, and the password of a URL as it is and as it is written."""
    whole = value.strip()
    try:
        password = urlsplit(whole).password or ""
    except ValueError:
        password = ""
    return [value, whole, *(line.strip() for line in whole.splitlines()), password, unquote(password)]
