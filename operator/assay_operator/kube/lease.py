"""Leader election on a Lease: of several replicas one holds it, and knows until when it may act.

The clocks of two machines are never compared. The holder counts from the moment before it sent its last
successful renewal; everybody else counts from the moment after they read that renewal, which is later. So the
holder's time is up first, `margin` seconds before anybody else may write, as long as the clocks' rates differ
by less than `margin` in `duration`. Every write is conditional on the version that was read: of two that take
an expired Lease at once, one succeeds.

A holder that the Lease names although it has not written that itself was put there by hand. Nobody takes such
a Lease, or one that was deleted or emptied by hand, before `duration` has passed: who held it may still act.
"""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from prometheus_client import Counter, Gauge

from assay_operator.kube import Body

RELEASED_SECONDS = 1  # the duration that a holder leaves behind when it lets go, as client-go does

_leader = Gauge("assay_leader", "1 for the replica that holds the Lease and acts, 0 for the others.")
_transitions = Counter("assay_leader_transitions", "Times that this replica acquired or lost the Lease.")

log = logging.getLogger(__name__)


class LeaseUnavailable(Exception):  # noqa: N818  a state of the world, as SourceUnavailable
    """The API server did not answer, or not with a Lease."""


class LeaseClient(Protocol):
    """The Lease in the API server. All raise `LeaseUnavailable`."""

    async def read(self) -> Body | None:
        """Return the Lease; None if there is none."""

    async def create(self, spec: Body) -> Body | None:
        """Create the Lease and return it; None if there is one."""

    async def replace(self, lease: Body, spec: Body) -> Body | None:
        """Replace the spec of this very version and return the new one; None if the version has passed."""


@dataclass(frozen=True)
class Timing:
    """Seconds.

    Attributes:
        duration: How long an unchanged Lease must have been watched before it may be taken.
        margin: How much earlier its holder stops: for requests on their way and clocks that run unevenly.
        renew: From one renewal to the next.
        retry: From one look at another's Lease to the next.
        timeout: How long one request may take.
    """

    duration: float = 7.0
    margin: float = 1.0
    renew: float = 1.5
    retry: float = 0.5
    timeout: float = 1.5

    def __post_init__(self) -> None:
        """Refuse values with which one slow request would lose the Lease."""
        if self.renew + self.timeout >= self.fence:
            raise ValueError(f"renew + timeout must be less than duration - margin: {self}")

    @property
    def fence(self) -> float:
        """How long after the start of a renewal its holder may act."""
        return self.duration - self.margin


def new_identity(pod: str) -> str:
    """Return a holder's name that no other process has had or will have, in which people read the pod's."""
    return f"{pod}_{secrets.token_hex(4)}"


def boot_clock() -> float:
    """Return seconds since the machine started, the time in which it slept included where that is known."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Leadership:
    """One candidate. `run` competes; `held` is what must be true before each write.

    Args:
        client: Where the Lease is.
        identity: Of this process and of no other, ever: a restarted pod is another holder.
        timing: Durations.
        clock: A clock that no administrator sets.
    """

    def __init__(
        self,
        client: LeaseClient,
        identity: str,
        timing: Timing | None = None,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        """Hold nothing yet."""
        self.identity = identity
        self._client = client
        self._timing = timing or Timing()
        self._clock = clock
        self._renewed = -math.inf  # when the last successful renewal was sent
        self._written: Body | None = None  # the Lease as this process wrote it last
        self._claims: set[str] = set()  # acquireTimes that this process has sent, answered or not
        self._observed = ("", -math.inf)  # version of the Lease, and since when it is known
        self._free_at = math.inf
        self._competing = True
        self._was_held = False
        self._changed = asyncio.Event()
        self._one_request = asyncio.Lock()

    def held(self) -> bool:
        """Return whether this process may act now."""
        return self.remaining() > 0

    def remaining(self) -> float:
        """Return for how many seconds it may act without another renewal; 0 if it may not."""
        left = self._renewed + self._timing.fence - self._clock()
        return max(0.0, left) if self._competing else 0.0

    async def acquired(self) -> None:
        """Return as soon as it may act."""
        while not self.held():
            await self._changed.wait()

    async def lost(self) -> None:
        """Return as soon as it may no longer act."""
        while self.held():
            await self._changed.wait()

    async def run(self) -> None:
        """Compete for the Lease until it is released."""
        while self._competing:
            answered = await self._attempt()
            self._publish()
            await asyncio.sleep(self._pause(answered=answered))

    async def release(self) -> None:
        """Stop competing, and let the next one act at once; whoever calls it acts no more."""
        self._competing = False
        self._publish()
        try:
            async with asyncio.timeout(self._timing.timeout), self._one_request:
                lease = self._written or await self._client.read()
                if lease and self._is_ours(lease) and await self._client.replace(lease, _released(lease)):
                    log.info("%s released the Lease", self.identity)
        except (LeaseUnavailable, TimeoutError) as error:  # it expires by itself
            log.warning("%s could not release the Lease: %s", self.identity, _first_line(error))

    async def _attempt(self) -> bool:
        """Renew or acquire once; return whether the API server has answered."""
        limit = min(self._timing.timeout, self.remaining() or math.inf)  # no longer than it may act
        try:
            async with asyncio.timeout(limit), self._one_request:
                if self._competing:
                    await self._renew_or_acquire()
        except (LeaseUnavailable, TimeoutError) as error:
            self._written = None
            log.warning("%s: no answer about the Lease: %s", self.identity, _first_line(error))
            return False
        return True

    async def _renew_or_acquire(self) -> None:
        if self._written is not None and await self._write(self._written):
            return
        self._written = None
        lease = await self._client.read()
        if self._may_take(lease):
            await self._write(lease)
        else:
            self._renewed = -math.inf

    def _may_take(self, lease: Body | None) -> bool:
        """Return whether the Lease is ours, released, or known unchanged for long enough."""
        if lease and (self._is_ours(lease) or _is_released(lease)):
            return True
        self._claims.clear()
        version, now = _version(lease), self._clock()
        if version != self._observed[0]:
            self._observed = (version, now)
        self._free_at = self._observed[1] + max(self._timing.duration, _duration(lease))
        return now >= self._free_at

    async def _write(self, lease: Body | None) -> bool:
        """Write that we hold it; return whether that was still possible."""
        spec = self._spec(lease)
        self._claims.add(spec["acquireTime"])
        start = self._clock()
        written = await (self._client.replace(lease, spec) if lease else self._client.create(spec))
        if written is not None:
            self._written, self._renewed = written, start
            self._observed = ("", -math.inf)
        return written is not None

    def _spec(self, lease: Body | None) -> dict[str, Any]:
        known = _spec_of(lease)
        ours = lease is not None and self._is_ours(lease)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # for people; nobody decides by it
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._timing.duration),
            "acquireTime": known["acquireTime"] if ours else now,
            "renewTime": now,
            "leaseTransitions": (known.get("leaseTransitions") or 0) + (not ours),
        }

    def _is_ours(self, lease: Body) -> bool:
        spec = _spec_of(lease)
        return spec.get("holderIdentity") == self.identity and spec.get("acquireTime") in self._claims

    def _pause(self, *, answered: bool) -> float:
        """Return the time until the next attempt."""
        now = self._clock()
        if not self.held():
            wait = self._free_at - now if answered else math.inf
            return min(self._timing.retry, wait if wait > 0 else self._timing.retry / 4)
        if not answered:
            return min(self._timing.retry, self.remaining()) / 2
        return max(0.0, self._renewed + self._timing.renew - now)

    def _publish(self) -> None:
        held = self.held()
        if held == self._was_held:
            return
        self._was_held = held
        _leader.set(held)
        _transitions.inc()
        log.info("%s %s the Lease", self.identity, "holds" if held else "no longer holds")
        self._changed.set()
        self._changed = asyncio.Event()


def _spec_of(lease: Body | None) -> Mapping[str, Any]:
    return (lease or {}).get("spec") or {}


def _version(lease: Body | None) -> str:
    return str(lease["metadata"]["resourceVersion"]) if lease else "none"


def _duration(lease: Body | None) -> float:
    """Return the duration that its holder promised, who may be of another release with other settings."""
    return float(_spec_of(lease).get("leaseDurationSeconds") or 0)


def _is_released(lease: Body) -> bool:
    """Return whether its holder has let go of it, or the chart has just made it."""
    return not _spec_of(lease).get("holderIdentity") and _duration(lease) <= RELEASED_SECONDS


def _released(lease: Body) -> dict[str, Any]:
    kept = {key: value for key, value in _spec_of(lease).items() if key != "holderIdentity"}
    return kept | {"leaseDurationSeconds": RELEASED_SECONDS}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
