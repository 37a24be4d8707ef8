"""The outbox at real servers: nothing is lost unseen, nothing waits for the network but its own thread."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver import BREAK, GARBAGE, HANG, Receiver

from assay_outbox import Backoff, Endpoint, Outbox, Rejected, Unavailable

JSON = {"Content-Type": "application/json"}


class Bench:
    """An outbox of small numbers that are sent to a server, and what it dropped."""

    def __init__(self, url: str, token: Path, bound: int = 100, timeout: float = 5.0) -> None:
        self.dropped: list[tuple[int, str]] = []
        self.endpoint, self.timeout = Endpoint(url, token), timeout
        self.outbox = Outbox(self.send, self.drop, bound=bound, backoff=Backoff(longest=0.2))

    def send(self, number: int, timeout: float) -> None:
        self.endpoint.post(b"%d" % number, JSON, min(timeout, self.timeout))

    def drop(self, number: int, reason: str) -> None:
        self.dropped.append((number, reason))

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.outbox.put(number)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bench(receiver: Receiver, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "token").write_text("ours\n")
    made = Bench(receiver.url, tmp_path / "token")
    made.outbox.start()
    yield made
    made.outbox.close(0)


def test_items_arrive_in_order_and_once(receiver: Receiver, bench: Bench) -> None:
    bench.put(*range(20))
    assert receiver.wait_for(lambda: len(receiver.bodies) == 20)
    assert receiver.bodies == [b"%d" % number for number in range(20)]
    assert (bench.outbox.close(10), bench.dropped) == (True, [])


@pytest.mark.parametrize("trouble", [503, 429, 401, 404, 500, BREAK, GARBAGE])
def test_what_may_pass_is_tried_again_in_order(receiver: Receiver, bench: Bench, trouble: int) -> None:
    receiver.answers = [trouble] * 3
    bench.put(1, 2)
    assert receiver.wait_for(lambda: len(receiver.bodies) == 2)
    assert (receiver.bodies, receiver.attempts, bench.dropped) == ([b"1", b"2"], 5, [])


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_what_is_refused_for_good_is_dropped_and_holds_up_no_other(
    receiver: Receiver, bench: Bench, status: int
) -> None:
    receiver.answers = [status]
    bench.put(1, 2)
    assert receiver.wait_for(lambda: len(receiver.bodies) == 1)
    assert receiver.bodies == [b"2"]
    assert bench.dropped == [(1, f"it is refused: {status} text")]


def test_a_server_that_restarts_gets_everything(receiver: Receiver, bench: Bench) -> None:
    receiver.stop()
    bench.put(1, 2, 3)
    assert not bench.outbox.flush(5)
    receiver.start()
    assert receiver.wait_for(lambda: len(receiver.bodies) == 3)
    assert bench.dropped == []


def test_a_server_that_hangs_costs_its_producer_nothing(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ours")
    bench = Bench(receiver.url, tmp_path / "token", bound=5)
    receiver.answers = [HANG] * 100
    bench.outbox.start()
    bench.put(0)
    assert receiver.wait_for(lambda: receiver.attempts == 1)
    start = time.monotonic()
    bench.put(*range(1, 1001))
    assert time.monotonic() - start < 1
    assert len(bench.outbox) == 5
    assert [number for number, _ in bench.dropped] == list(range(1, 997))
    assert not bench.outbox.close(0.2)
    receiver.woken.set()
    assert [number for number, reason in bench.dropped if reason == "the process ends"][:4] == [
        *range(997, 1001)
    ]


def test_a_close_takes_no_longer_than_it_may(receiver: Receiver, bench: Bench) -> None:
    receiver.answers = [HANG] * 10
    bench.put(*range(10))
    assert receiver.wait_for(lambda: receiver.attempts == 1)
    start = time.monotonic()
    assert not bench.outbox.close(0.5)
    assert time.monotonic() - start < 3
    assert [number for number, _ in bench.dropped] == list(range(1, 10))


def test_a_close_delivers_what_waits_although_the_last_attempt_failed(
    receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("ours")
    bench = Bench(receiver.url, tmp_path / "token")
    receiver.answers = [503]
    bench.put(1, 2)
    assert not bench.outbox.flush(5)
    assert bench.outbox.close(10)
    assert receiver.bodies == [b"1", b"2"]


def test_what_comes_after_the_end_is_dropped(bench: Bench) -> None:
    assert bench.outbox.close(5)
    bench.put(7)
    assert bench.dropped == [(7, "it came after the end")]


def test_a_token_is_read_for_each_attempt_and_its_absence_is_waited_out(
    receiver: Receiver, tmp_path: Path
) -> None:
    bench = Bench(receiver.url, tmp_path / "token")
    bench.put(1, 2)
    assert not bench.outbox.flush(5)
    (tmp_path / "token").write_text("\N{EURO SIGN}")
    assert not bench.outbox.flush(5)
    (tmp_path / "token").write_text("new\nold\n")
    assert bench.outbox.flush(5)
    assert receiver.tokens == ["Bearer new", "Bearer new"]


def test_a_fault_in_sending_drops_that_item_alone() -> None:
    sent, dropped = list[int](), list[int]()

    def send(number: int, _: float) -> None:
        sent.append(10 // number)

    outbox = Outbox(send, lambda number, _: dropped.append(number), bound=10)
    for number in (5, 0, 2):
        outbox.put(number)
    assert outbox.flush(5)
    assert (sent, dropped) == ([2, 5], [0])


def test_what_another_thread_failed_to_flush_is_delivered_by_the_outbox_itself() -> None:
    sending, answer, delivered = threading.Event(), threading.Event(), threading.Event()

    def send(*_: object) -> None:
        if not sending.is_set():
            sending.set()
            assert answer.wait(30)
            raise Unavailable("not now")
        delivered.set()

    outbox: Outbox[int] = Outbox(send, lambda *_: None, bound=10)
    outbox.put(1)
    flushing = threading.Thread(target=outbox.flush, args=(30,))
    flushing.start()
    assert sending.wait(30)
    outbox.start()  # it finds the queue empty, as the item is in flight
    answer.set()
    flushing.join()
    assert delivered.wait(30)
    assert outbox.close(30)


def test_an_item_in_flight_at_the_end_is_dropped_once_when_it_fails() -> None:
    sending, answer, dropped = threading.Event(), threading.Event(), list[tuple[int, str]]()
    gone = threading.Event()

    def send(*_: object) -> None:
        sending.set()
        assert answer.wait(30)
        raise Unavailable("not now")

    def drop(number: int, reason: str) -> None:
        dropped.append((number, reason))
        gone.set()

    outbox: Outbox[int] = Outbox(send, drop, bound=10)
    outbox.start()
    outbox.put(1)
    assert sending.wait(30)
    assert not outbox.close(0.1)
    assert dropped == []
    answer.set()
    assert gone.wait(30)
    assert dropped == [(1, "the process ends")]


def test_trouble_is_logged_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Unavailable | None] = [Unavailable("503")] * 3 + [None] + [Unavailable("503")] * 2 + [None]

    def send(*_: object) -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    outbox = Outbox(send, lambda *_: None, bound=10)
    outbox.put(1)
    outbox.put(2)
    while not outbox.flush(5):
        pass
    assert len(caplog.records) == 2


ACTS = st.lists(st.sampled_from(["put", "flush", "taken", "refused", "away"]), max_size=60)


@given(ACTS, st.integers(1, 5))
def test_every_item_is_delivered_or_dropped_once_and_no_more_than_the_bound_wait(
    acts: list[str], bound: int
) -> None:
    mood, delivered, dropped, put = "taken", list[int](), list[int](), 0

    def send(number: int, _: float) -> None:
        if mood == "refused":
            raise Rejected("no")
        if mood == "away":
            raise Unavailable("not now")
        delivered.append(number)

    outbox: Outbox[int] = Outbox(send, lambda number, _: dropped.append(number), bound=bound)
    for act in acts:
        if act == "put":
            outbox.put(put)
            put += 1
        elif act == "flush":
            assert outbox.flush(5) == (mood != "away" or len(outbox) == 0)
        else:
            mood = act
        assert len(outbox) <= bound
    outbox.close(5)
    assert sorted(delivered + dropped) == list(range(put))
    assert delivered == sorted(delivered)
    assert dropped == sorted(dropped)


def test_many_producers_lose_nothing(receiver: Receiver, bench: Bench) -> None:
    receiver.answers = [503, 200, 503]
    lanes = [range(first, first + 20) for first in range(0, 80, 20)]
    threads = [threading.Thread(target=bench.put, args=lane) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receiver.wait_for(lambda: len(receiver.bodies) == 80)
    found: list[Any] = [int(body) for body in receiver.bodies]
    assert sorted(found) == list(range(80))
    assert [[number for number in found if number in lane] for lane in lanes] == [
        list(lane) for lane in lanes
    ]
