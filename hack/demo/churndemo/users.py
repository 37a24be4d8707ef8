"""The customers of the demo as users: each calls in turn, again and again, and tells later what came true."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle

from churndemo.client import Answer, Client
from churndemo.customers import Customer
from churndemo.ledger import Ledger
from churndemo.load import Send, Steady
from churndemo.outcomes import Collector, Labels, deliver


class Users:
    """Steady traffic of all customers in turn, with its record and its outcomes."""

    def __init__(self, customers: Sequence[Customer], client: Client, ledger: Ledger, labels: Labels) -> None:
        self._customers = customers
        self._client = client
        self.ledger = ledger
        self.labels = labels

    def begin(self) -> None:
        """Note that what follows belongs to another Experiment."""
        self.ledger.begin()
        self.labels.begin()

    async def call(self, rate: float, stop: asyncio.Event, *, seconds: float) -> Steady:
        """Call `rate` times a second until told to stop or the time is up; return how it went."""
        steady = Steady(rate, self.ledger.add)
        await steady.run(self._asks(), stop, seconds=seconds)
        return steady

    async def tell(self, collector: Collector, stop: asyncio.Event) -> None:
        """Send labels as they come true until told to stop, and then the rest."""
        async with collector:
            await deliver(self.labels, collector, stop)

    def _asks(self) -> Iterator[Send]:
        return (partial(self._ask, customer) for customer in cycle(self._customers))

    async def _ask(self, customer: Customer) -> Answer:
        answer = await self._client.ask(customer.id, customer.row)
        self.labels.hear(customer, answer)
        return answer
