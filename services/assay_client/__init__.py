"""A small client for applications: tell Assay what became of a unit.

    from assay_client import Client, Outcome

    with Client("http://assay-collector.assay-system:8080", token) as assay:
        assay.send([Outcome("demo/churn", unit="c-00007", metric="retained", value=1)])

`send` returns when everything is durable. Whatever is not acknowledged is sent again under the same id, so
nothing is lost and nothing counts twice. `add` gathers outcomes into batches. `AsyncClient` is for asyncio.
The token may be a function that reads it from a mounted Secret, so that it can change without a restart.
"""

from assay_client.client import AsyncClient, Client
from assay_client.outcome import Counts, Outcome
from assay_client.protocol import Rejected, Unavailable

__all__ = ["AsyncClient", "Client", "Counts", "Outcome", "Rejected", "Unavailable"]
