"""Answers an Envoy in the operator's absence, from memory: requests in, responses out, no I/O."""

import logging

from assay_relay.memory import Memory
from assay_relay.messages import OF_A_WHOLE, Request, Response
from assay_relay.telemetry import Telemetry

log = logging.getLogger(__name__)

TAIL = 400


class CachedControlPlane:
    """One Envoy's stream, as long as the operator is away.

    Attributes:
        answered: Whether it has said anything; if not, the operator may take over the same stream.
    """

    def __init__(self, memory: Memory, telemetry: Telemetry) -> None:
        """Answer from this memory."""
        self._memory = memory
        self._telemetry = telemetry
        self._sent: dict[str, set[str]] = {}
        self._count = 0
        self.answered = False

    def answer(self, request: Request) -> Response | None:
        """Return what Envoy gets for this request, if anything.

        An Envoy that has a version of a kind goes on with it: whatever is remembered, it has that or newer.
        """
        if request.refusal is not None:
            self._telemetry.refused.inc()
            log.error("Envoy refuses what it had accepted before: %s", request.refusal[-TAIL:])
            return None
        if request.version and not request.nonce:
            return None
        found = self._parts(request) if request.kind in OF_A_WHOLE else self._whole(request)
        if found is None:
            return None
        self._count += 1
        self.answered = True
        self._telemetry.recalled.inc(len(found.resources))
        return found._replace(nonce=f"remembered-{self._count}")

    def _whole(self, request: Request) -> Response | None:
        return None if request.nonce else self._memory.recall(request.kind)

    def _parts(self, request: Request) -> Response | None:
        sent = self._sent.setdefault(request.kind, set())
        sent &= request.names  # it forgets what it no longer asks for
        found = self._memory.recall(request.kind, request.names - sent)
        sent.update(found.resources if found else ())
        return found
