"""The log through every accident: each acknowledged once at least, none skipped, none silent."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay_shipper import checkpoint
from assay_shipper.loop import Shipper


def turn(shipper: Shipper) -> None:
    while shipper.round():
        pass


def test_everything_is_shipped_once_and_not_again_after_a_restart(
    bench: Any, log: Any, collector: Any
) -> None:
    first = log.append(*(log.enrolled() for _ in range(50)))
    bench.ship()
    second = log.append(log.enrolled())
    bench.ship()
    assert collector.ids == first + second
    assert bench.metric("assay_shipper_sent_total") == 51
    assert collector.posts[0]["path"] == "/v1/exposures"
    assert collector.posts[0]["Authorization"] == "Bearer gateway-token"
    assert "user-" not in json.dumps(collector.got)


def test_those_in_no_arm_are_counted_only(bench: Any, log: Any, collector: Any) -> None:
    log.append(
        log.line(assigned="none", experiment=None), log.line(assigned="unenrolled", table="control:0-0")
    )
    bench.ship()
    assert collector.got == []
    for assigned in ("none", "unenrolled"):
        labels = {"namespace": "demo", "model": "churn", "assigned": assigned}
        assert bench.metric("assay_exposures_total", **labels) == 1
    assert bench.metric("assay_shipper_backlog_bytes") == 0


def test_a_missing_log_is_waited_for(bench: Any, log: Any, collector: Any) -> None:
    shipper = bench.start()
    turn(shipper)
    ids = log.append(log.enrolled())
    turn(shipper)
    assert collector.ids == ids


def test_half_a_line_waits_for_its_other_half(bench: Any, log: Any, collector: Any) -> None:
    line = log.enrolled()
    shipper = bench.start()
    with log.path.open("ab", buffering=0) as file:
        for part in (line[:7], line[7:-1]):
            file.write(part)
            turn(shipper)
            assert collector.got == []
        file.write(line[-1:])
    turn(shipper)
    assert collector.ids == [json.loads(line)["id"]]


def test_a_renamed_log_is_read_to_its_end_before_the_new_one(bench: Any, log: Any, collector: Any) -> None:
    shipper = bench.start()
    with log.path.open("ab", buffering=0) as old:
        lines = [log.enrolled() for _ in range(4)]
        old.write(lines[0])
        turn(shipper)
        log.path.rename(log.path.with_name("exposures.jsonl.1"))
        old.write(lines[1])
        turn(shipper)
        old.write(lines[2])
        log.append(lines[3])
    turn(shipper)
    assert collector.ids == [json.loads(line)["id"] for line in lines]
    assert [each.name for each in log.path.parent.glob("*.jsonl*") if "check" not in each.name] == [
        log.path.name
    ]


def test_rotated_logs_are_found_after_a_restart_in_the_order_of_their_numbers(
    bench: Any, log: Any, collector: Any
) -> None:
    ids = []
    for number in (9, 10, 11):
        ids += log.append(log.enrolled(), log.enrolled())
        log.path.rename(log.path.with_name(f"exposures.jsonl.{number}"))
    ids += log.append(log.enrolled())
    bench.ship()
    assert collector.ids == ids


def test_a_truncated_log_is_read_from_its_start(bench: Any, log: Any, collector: Any) -> None:
    shipper = bench.start()
    log.append(log.enrolled(), log.enrolled())
    turn(shipper)
    os.truncate(log.path, 0)
    ids = log.append(log.enrolled())
    turn(shipper)
    assert collector.ids[-1:] == ids
    assert bench.metric("assay_shipper_truncations") == 1


def test_another_log_with_the_same_inode_is_not_mistaken_for_the_old_one(
    bench: Any, log: Any, collector: Any
) -> None:
    log.append(log.enrolled(), log.enrolled())
    bench.ship()
    inode = log.path.stat().st_ino
    lines = [log.enrolled() for _ in range(5)]
    log.path.write_bytes(b"".join(lines))  # truncates and writes: more than there was
    assert log.path.stat().st_ino == inode
    bench.ship()
    assert collector.ids[-5:] == [json.loads(line)["id"] for line in lines]


@pytest.mark.parametrize("junk", [b"", b"{}", b"no json", b'{"inode": 1}', b"\x00" * 40])
def test_a_broken_checkpoint_starts_over(bench: Any, log: Any, collector: Any, junk: bytes) -> None:
    bench.settings.checkpoint_file.write_bytes(junk)
    ids = log.append(log.enrolled())
    bench.ship()
    assert collector.ids == ids


def test_malformed_lines_are_counted_and_hold_nobody_up(
    bench: Any, log: Any, collector: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with log.path.open("ab") as file:
        file.write(b'{"unit": "somebody@example.org", "half\n\n[]\n')
    ids = log.append(log.enrolled())
    with caplog.at_level(logging.DEBUG):
        bench.ship()
    assert collector.ids == ids
    assert bench.metric("assay_shipper_malformed_total") == 2
    assert "somebody" not in caplog.text


def test_a_torn_end_of_a_finished_log_is_counted(bench: Any, log: Any, collector: Any) -> None:
    with log.path.open("ab") as file:
        file.write(log.enrolled() + b'{"half')
    log.path.rename(log.path.with_name("exposures.jsonl.1"))
    log.append(log.enrolled())
    bench.ship()
    assert len(collector.ids) == 2
    assert bench.metric("assay_shipper_malformed_total") == 1


@pytest.mark.parametrize("status", [500, 503, 429, 401, 403, 404])
def test_the_checkpoint_waits_for_the_acknowledgement(
    bench: Any, log: Any, collector: Any, status: int
) -> None:
    collector.status = lambda _: status
    ids = log.append(log.enrolled(), log.enrolled())
    bench.ship()
    assert checkpoint.load(bench.settings.checkpoint_file) is None
    assert bench.metric("assay_shipper_failures_total", of="collector") == 1
    collector.status = lambda _: 200
    bench.ship()
    assert collector.ids == ids


def test_the_first_token_of_the_file_is_shown(bench: Any, log: Any, collector: Any) -> None:
    bench.settings.token_file.write_text("one\nanother\n")
    log.append(log.enrolled())
    bench.ship()
    bench.settings.token_file.write_text("another\r\n")
    log.append(log.enrolled())
    bench.ship()
    shown = [post["Authorization"] for post in collector.posts if post["path"] == "/v1/exposures"]
    assert shown == ["Bearer one", "Bearer another"]


def test_a_collector_that_is_away_is_tried_again_and_again(bench: Any, log: Any, collector: Any) -> None:
    collector.status = lambda _: 503 if len(collector.posts) < 4 else 200
    ids = log.append(log.enrolled())
    shipper = bench.start()
    until = time.monotonic() + 20
    while not collector.got and time.monotonic() < until:
        shipper.round()
        time.sleep(0.01)
    assert collector.ids == ids
    assert len(collector.posts) == 4
    assert bench.metric("assay_shipper_blocked_seconds") == 0


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_record_that_is_refused_does_not_hold_up_the_others(
    bench: Any, log: Any, collector: Any, status: int
) -> None:
    ids = log.append(*(log.enrolled() for _ in range(9)))
    collector.status = lambda records: status if ids[4] in [record["id"] for record in records] else 200
    bench.ship()
    assert collector.ids == ids[:4] + ids[5:]
    assert bench.metric("assay_shipper_refused_total") == 1


def test_large_batches_are_packed(bench: Any, log: Any, collector: Any) -> None:
    ids = log.append(*(log.enrolled() for _ in range(300)))
    bench.ship()
    assert collector.ids == ids
    assert collector.posts[0]["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("key", [None, b"", b"x" * 65])
def test_without_a_key_nothing_leaves_and_nothing_is_lost(
    bench: Any, log: Any, collector: Any, key: bytes | None
) -> None:
    file: Path = bench.settings.unit_key_file
    good = file.read_bytes()
    file.unlink()
    if key is not None:
        file.write_bytes(key)
    ids = log.append(log.enrolled())
    shipper = bench.ship()
    assert collector.posts == []
    assert bench.metric("assay_shipper_failures_total", of="key") == 1
    file.write_bytes(good)
    turn(shipper)
    assert collector.ids == ids


def test_a_failed_audit_is_counted_and_alarmed(
    bench: Any, log: Any, collector: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log.append(log.line(table="control:0-10000", assigned="boosted"))
    bench.ship()
    assert bench.metric("assay_exposure_audit_mismatches_total", experiment="exp-1") == 1
    assert collector.got[0]["audit"] == "mismatch"
    assert "the hash says otherwise" in caplog.text


class Envoy:
    """Envoy's side of the log: holds the file open, reopens it with the first line after it was asked."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._file = log.path.open("ab", buffering=0)
        self._due = False
        self.down = False
        self.reopened = 0

    def write(self, *lines: bytes) -> list[str]:
        if self._due:
            self._file.close()
            self._file = self._log.path.open("ab", buffering=0)
            self._due = False
        self._file.write(b"".join(lines))
        return [json.loads(line)["id"] for line in lines]

    def admin(self) -> httpx.Client:
        def answer(request: httpx.Request) -> httpx.Response:
            if self.down:
                raise httpx.ConnectError("refused")
            if request.url.path == "/reopen_logs":
                self._due = True
                self.reopened += 1
            return httpx.Response(200)

        return httpx.Client(base_url="http://envoy", transport=httpx.MockTransport(answer))

    def close(self) -> None:
        self._file.close()


def test_a_large_log_is_rotated_and_not_a_line_is_lost(
    make_bench: Callable[..., Any], log: Any, collector: Any
) -> None:
    envoy = Envoy(log)
    bench = make_bench(envoy.admin(), rotate_bytes=2_000)
    shipper = bench.start()
    ids: list[str] = []
    for _ in range(40):
        ids += envoy.write(log.enrolled(), log.enrolled())
        turn(shipper)
    envoy.close()
    assert collector.ids == ids
    assert bench.metric("assay_shipper_rotations_total") >= 10
    assert sum(each.stat().st_size for each in log.path.parent.glob("exposures.jsonl*")) < 10_000


def test_a_rotation_that_was_cut_off_is_finished(
    make_bench: Callable[..., Any], log: Any, collector: Any
) -> None:
    envoy = Envoy(log)
    ids = envoy.write(log.enrolled())
    log.path.rename(log.path.with_name("exposures.jsonl.1"))  # and the shipper died before it asked
    shipper = make_bench(envoy.admin()).ship()
    ids += envoy.write(log.enrolled())
    turn(shipper)
    envoy.close()
    assert collector.ids == ids
    assert log.path.exists()
    assert envoy.reopened == 1


def test_beyond_the_disk_bound_the_oldest_is_given_up_counted_and_alarmed(
    make_bench: Callable[..., Any], log: Any, collector: Any, caplog: pytest.LogCaptureFixture
) -> None:
    envoy = Envoy(log)
    bench = make_bench(envoy.admin(), rotate_bytes=1_500, disk_bytes=10_000, batch_bytes=500)
    collector.status = lambda _: 503
    shipper = bench.start()
    ids: list[str] = []
    for _ in range(60):
        ids += envoy.write(log.enrolled(), log.enrolled())
        turn(shipper)
    envoy.close()
    lost = bench.metric("assay_shipper_lost_total")
    assert 0 < lost < 120
    assert bench.metric("assay_shipper_backlog_bytes") < 15_000
    assert "gave up" in caplog.text
    collector.status = lambda _: 200
    bench.ship()
    assert len(collector.ids) == len(ids) - lost
    assert collector.ids[-5:] == ids[-5:]


def test_told_to_stop_it_ships_what_envoy_still_writes(
    make_bench: Callable[..., Any], log: Any, collector: Any
) -> None:
    envoy = Envoy(log)
    bench = make_bench(envoy.admin())
    stop = threading.Event()
    running = threading.Thread(target=bench.start().run, args=(stop,))
    running.start()
    stop.set()
    ids = envoy.write(log.enrolled())
    time.sleep(0.1)  # Envoy is draining; there is no sign of that to wait for
    assert running.is_alive()
    ids += envoy.write(log.enrolled())
    envoy.down = True
    running.join(10)
    envoy.close()
    assert not running.is_alive()
    assert collector.ids == ids


def test_told_to_stop_while_the_collector_is_away_it_gives_up_in_time(
    make_bench: Callable[..., Any], log: Any, collector: Any
) -> None:
    bench = make_bench(drain_seconds=0.3)
    collector.status = lambda _: 503
    log.append(log.enrolled())
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    bench.start().run(stop)
    assert 0.3 <= time.monotonic() - started < 5


def test_a_line_is_with_the_collector_within_a_few_polls(bench: Any, log: Any, collector: Any) -> None:
    stop = threading.Event()
    running = threading.Thread(target=bench.start().run, args=(stop,))
    running.start()
    times = []
    for number in range(1, 11):
        started = time.monotonic()
        log.append(log.enrolled())
        while len(collector.got) < number and time.monotonic() < started + 10:
            time.sleep(0.001)
        times.append(time.monotonic() - started)
    stop.set()
    running.join()
    assert len(collector.got) == 10
    assert sorted(times)[5] < 0.5, "half a second is a quarter of what a rollback may take"
