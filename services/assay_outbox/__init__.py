"""Delivery to an HTTP server that may be slow or away: one place for back-off, tokens, bodies and bounds.

`Outbox` takes items without ever blocking their producer and delivers them from a thread of its own, in
order, again and again until they are accepted, refused for good, or too many. Who wants to wait for the
answer, or keeps what is undelivered elsewhere, uses the parts: `Backoff`, `Attempts`, `ndjson`, `Endpoint`.
"""

from assay_outbox.backoff import Attempts, Backoff
from assay_outbox.body import ndjson
from assay_outbox.endpoint import Endpoint
from assay_outbox.errors import Rejected, Unavailable
from assay_outbox.outbox import Outbox
from assay_outbox.token import first_token

__all__ = ["Attempts", "Backoff", "Endpoint", "Outbox", "Rejected", "Unavailable", "first_token", "ndjson"]
