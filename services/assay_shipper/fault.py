"""Whether an answer is an error, in one word: the one rule for arms and for champions. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

HUNG_UP = "DC"  # Envoy's flag: the caller ended the connection
OF_THE_MODEL = "via_upstream"  # what Envoy says of an answer that is not its own
CLIENT_ERROR, SERVER_ERROR, OK = 400, 500, 200


class Fault(StrEnum):
    """Why a caller was not served well by whom it was assigned to."""

    COVERED = "covered"  # somebody else had to answer, or the same version once more
    REFUSED = "refused"  # a 4xx of the model
    FAILED = "failed"  # a 5xx, of the model or of the gateway in its place
    CUT = "cut"  # the answer ended after its headers, before its end
    LEFT = "left"  # the caller hung up before it had the whole answer
    EMPTY = "empty"  # a 200 without a byte


def fault(raw: Mapping[str, Any], arm: str | None) -> Fault | None:
    """Return what is wrong with the answer of a line in the exposure log; None if nothing is.

    Args:
        raw: The fields of the line.
        arm: Who should have answered; None where it is the champion.
    """
    own = _is_of_the_gateway(raw)
    covered = int(raw.get("attempts") or 0) > 1 or (arm is not None and raw.get("served") != arm and not own)
    return Fault.COVERED if covered and whole(raw) else answer_fault(raw)


def answer_fault(raw: Mapping[str, Any]) -> Fault | None:
    """Return what is wrong with the answer that the caller got, whoever gave it; None if nothing is."""
    status = int(raw.get("status") or 0)
    if not whole(raw):
        return _unfinished(status, str(raw.get("flags") or ""))
    if status >= SERVER_ERROR:
        return Fault.FAILED
    if status >= CLIENT_ERROR:  # what the gateway refuses by itself is no arm's doing
        return None if _is_of_the_gateway(raw) else Fault.REFUSED
    return Fault.EMPTY if _is_empty(raw, status) else None


def _is_of_the_gateway(raw: Mapping[str, Any]) -> bool:
    """Tell whether the gateway refused the request by itself."""
    status = int(raw.get("status") or 0)
    return CLIENT_ERROR <= status < SERVER_ERROR and raw.get("details") != OF_THE_MODEL


def whole(raw: Mapping[str, Any]) -> bool:
    """Tell whether the answer was sent to its end: only then does Envoy log when that was."""
    return bool(raw.get("status")) and raw.get("dur_us") is not None


def _unfinished(status: int, flags: str) -> Fault:
    """A caller that leaves counts: slow arms make callers leave, and the others leave all arms alike."""
    if HUNG_UP in flags.split(","):
        return Fault.LEFT
    return Fault.CUT if status else Fault.FAILED


def _is_empty(raw: Mapping[str, Any], status: int) -> bool:
    return status == OK and raw.get("bytes") == 0 and raw.get("method") != "HEAD"
