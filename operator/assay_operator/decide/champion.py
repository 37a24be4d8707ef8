"""Who may be champion, and why: an ordered chain of small checks. The first that names a version decides.

Each cause acts once. A person's order is remembered by its text. A verdict counts only if it fell after the
present champion took over, and against it. The spec's request is fulfilled when its version becomes champion,
and then it says nothing more until the spec asks for another source. So no two causes can take turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from assay_api import Experiment, ModelVersion
from assay_api.model import ChampionRecord, OrderResult
from assay_api.names import PROMOTE, ROLLBACK
from assay_operator.decide.bake import breach, watch
from assay_operator.decide.rollout import RolloutFacts, is_ready
from assay_operator.decide.unavailability import unavailable_for

RECORDS = 20
_REASON = 256
DOWN_GRACE = 1.0  # seconds without a ready pod that a champion on probation is allowed

Cause = Literal[
    "FirstVersion", "Verdict", "Restored", "Replace", "Order", "BakeFailed", "BakeBreached", "ChampionDeleted"
]


@dataclass(frozen=True)
class Successor:
    """A version that takes over, the cause, and the sentence for the history."""

    version: str
    cause: Cause
    message: str
    experiment: str = ""


@dataclass(frozen=True)
class Order:
    """What a person asks for: the annotation's text, and the version that it means, if there is one."""

    text: str
    version: str
    refusal: str = ""


Check = Callable[[RolloutFacts], Successor | None]


def ordered_by_hand(facts: RolloutFacts) -> Successor | None:
    """A person promotes a version, or wants the former champion back; once its pods are ready."""
    order = open_order(facts)
    if order is None or not order.version or order.version == facts.champion:
        return None
    return Successor(order.version, "Order", _by_hand(order))


def bake_failed(facts: RolloutFacts) -> Successor | None:
    """The new champion went down while the former one is still warm."""
    former = baking_after(facts)
    if former is None or facts.champion in facts.available or former not in facts.available:
        return None
    version = facts.version(facts.champion)
    down = unavailable_for(version, facts.now) if version else 0.0
    if down < DOWN_GRACE:
        return None
    words = f"{facts.champion} had no ready pod for {down:.0f} s while it was baking"
    return Successor(former, "BakeFailed", words)


def bake_breached(facts: RolloutFacts) -> Successor | None:
    """The new champion answers worse than the former one did, which is still warm."""
    former = baking_after(facts)
    words = breach(facts.model, facts.bake, facts.now) if former else None
    return Successor(former, "BakeBreached", words) if former and words else None


def champion_deleted(facts: RolloutFacts) -> Successor | None:
    """The champion's ModelVersion is gone: the newest former champion, or the same source made again.

    A candidate that has won nothing is never an answer.
    """
    if not facts.champion or facts.version(facts.champion):
        return None
    words = f"ModelVersion {facts.champion} was deleted"
    record = next((r for r in facts.history if r.version == facts.champion), None)
    again = facts.requested
    if again and record and again.spec.source_digest == record.source_digest and is_ready(again):
        return Successor(again.metadata.name, "ChampionDeleted", f"{words}; made again from the same source")
    for old in facts.history:
        version = facts.version(old.version)
        if version and is_ready(version):
            return Successor(old.version, "ChampionDeleted", f"{words}; it was champion before")
    return None


def won(facts: RolloutFacts) -> Successor | None:
    """Whoever beat the present champion in an Experiment that ended after it took over."""
    since = facts.history[0].since if facts.history else None
    for experiment in reversed(facts.experiments):
        decision = experiment.status.decision
        if decision is None or decision.winner is None or (since and decision.at <= since):
            continue
        if _has_acted(facts, experiment):
            continue
        if experiment.spec.control.version == facts.champion:
            name = experiment.metadata.name
            return Successor(decision.winner, "Verdict", f"won Experiment {name}", name)
    return None


def _has_acted(facts: RolloutFacts, experiment: Experiment) -> bool:
    """Whether its verdict made a champion already: its time may be of a replica whose clock is ahead."""
    began = experiment.status.started_at
    return any(
        record.experiment == experiment.metadata.name and (began is None or record.since >= began)
        for record in facts.history
    )


def first(facts: RolloutFacts) -> Successor | None:
    """The first version has nobody to beat."""
    version = _open_request(facts)
    if version is None or facts.champion:
        return None
    return Successor(version.metadata.name, "FirstVersion", "the first version")


def restored(facts: RolloutFacts) -> Successor | None:
    """The spec went back to a former champion that is still warm."""
    version = _open_request(facts)
    if version is None or version.metadata.name not in facts.former(facts.history):
        return None
    return Successor(version.metadata.name, "Restored", "restored within the rollback window")


def replaced(facts: RolloutFacts) -> Successor | None:
    """Strategy Replace asks for no proof."""
    version = _open_request(facts)
    if version is None or facts.model.spec.rollout.strategy != "Replace":
        return None
    if facts.version(facts.champion) is None:
        return None
    return Successor(version.metadata.name, "Replace", "strategy Replace")


CHAIN: tuple[Check, ...] = (
    ordered_by_hand,  # a person has the last word
    bake_failed,  # then safety
    bake_breached,
    champion_deleted,
    won,  # then evidence
    first,
    restored,
    replaced,
)


def successor(facts: RolloutFacts) -> Successor | None:
    """Return who takes over now, or None; only versions that answer take over."""
    found = (check(facts) for check in CHAIN)
    return next(
        (s for s in found if s and s.version != facts.champion and s.version in facts.available), None
    )


def recorded(facts: RolloutFacts, new: Successor) -> tuple[ChampionRecord, ...]:
    """Return the history with the new champion in front."""
    version = facts.version(new.version)
    record = ChampionRecord(
        version=new.version,
        since=facts.now,
        reason=new.message[:_REASON],
        cause=new.cause,
        experiment=new.experiment,
        source_digest=version.spec.source_digest if version else "",
    )
    return (record, *facts.history)[:RECORDS]


def baking_after(facts: RolloutFacts) -> str | None:
    """Return the former champion to which a new one that fails goes back; None once it is trusted."""
    found = watch(facts.model)
    fresh = found is not None and facts.now < found.until
    return found.former if found and fresh and facts.version(found.former) else None


def bake_ends_in(facts: RolloutFacts) -> timedelta | None:
    """Return how long the present champion is still watched; None if it is not."""
    found = watch(facts.model)
    return found.until - facts.now if found and baking_after(facts) else None


def _by_hand(order: Order) -> str:
    return f"by hand: {order.text}"[:_REASON]


def open_order(facts: RolloutFacts) -> Order | None:
    """Return the order that is not carried out yet, or None."""
    annotations, handled = facts.model.metadata.annotations, facts.model.status.state.handled_orders
    for key, meaning in ((PROMOTE, _named), (ROLLBACK, _former)):
        text = annotations.get(key, "")
        if text and f"{key}={text}"[:_ORDER] not in handled:
            return meaning(facts, f"{key}={text}"[:_ORDER], text)
    return None


_ORDER = 512


def _named(facts: RolloutFacts, order: str, text: str) -> Order:
    name = (text.split() or [""])[0]
    version = facts.version(name)
    if version is None:
        known = ", ".join(v.metadata.name for v in facts.versions) or "none"
        return Order(order, "", f"{PROMOTE}: no ModelVersion {name[:63]} of this Model; there are: {known}")
    if not is_ready(version):
        return Order(order, "", f"{PROMOTE}: {name} is not ready: see its conditions")
    return Order(order, name)


def _former(facts: RolloutFacts, order: str, text: str) -> Order:  # noqa: ARG001
    for record in facts.history:
        version = facts.version(record.version)
        if record.version != facts.champion and version and is_ready(version):
            return Order(order, record.version)
    return Order(order, "", f"{ROLLBACK}: no former champion of this Model is left to go back to")


def order_result(facts: RolloutFacts, champion: str) -> OrderResult | None:
    """Return the order that was handled last: what was asked, what came of it, when."""
    order, known = open_order(facts), facts.model.status.state.order
    if order is None:
        return known
    if order.refusal:
        return OrderResult(order=order.text, result="Refused", message=order.refusal[:1024], at=facts.now)
    carried_out = bool(facts.history) and facts.history[0].reason == _by_hand(order)
    if carried_out or order.version == champion:
        words = f"{champion} serves"
        return OrderResult(order=order.text, result="Done", message=words, at=facts.now)
    return known


def handled_orders(facts: RolloutFacts, result: OrderResult | None) -> tuple[str, ...]:
    """Return the orders that are not carried out again: the newest of each kind."""
    known = facts.model.status.state.handled_orders
    if result is None or result.order in known:
        return known
    kind = result.order.partition("=")[0]
    return (*(order for order in known if order.partition("=")[0] != kind), result.order)


def fulfilled(facts: RolloutFacts, champion: str) -> int:
    """Return the newest request whose version has been champion."""
    if facts.requested and facts.requested.metadata.name == champion:
        return facts.state.request
    return facts.state.served_request


def _open_request(facts: RolloutFacts) -> ModelVersion | None:
    version = facts.requested
    return version if version and facts.request_is_open and is_ready(version) else None
