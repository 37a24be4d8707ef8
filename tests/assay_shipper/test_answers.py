"""Counts of answers: every request that reached a version, by the second in which it ended."""

import json
import time
from typing import Any

from assay_assign import SLOWER_THAN
from assay_shipper import answers
from assay_shipper.loop import Shipper

OWNER = {"namespace": "demo", "model": "churn", "version": "churn-1"}


def drained(shipper: Shipper) -> None:
    """Ship all there is, counts included, as at the end."""
    shipper._drain()


def total(collector: Any, name: str) -> int:
    return sum(record[name] for record in collector.counts)


def test_requests_within_an_experiment_and_outside_are_counted_alike(
    bench: Any, log: Any, collector: Any
) -> None:
    ids = log.append(log.enrolled(status=500), log.enrolled())
    log.append(
        log.line(assigned="none", experiment=None, status=503),
        log.line(assigned="unenrolled", table="control:0-0"),
        log.line(assigned="none", experiment=None, version=None, status=503),
    )
    drained(bench.start())
    assert (total(collector, "requests"), total(collector, "errors")) == (4, 2)
    assert collector.ids == ids, "exposures are what they were"
    assert all(OWNER.items() <= record.items() for record in collector.counts)
    assert "user-" not in json.dumps(collector.counts)


def test_what_the_caller_got_in_the_end_is_what_counts(bench: Any, log: Any, collector: Any) -> None:
    plain = {"assigned": "none", "experiment": None}
    log.append(log.line(**plain), log.line(dur_us=None, flags="UPE", **plain), log.line(status=0, **plain))
    log.append(log.line(attempts=2, **plain), log.line(status=413, **plain))
    log.append(log.line(attempts=3, status=503, **plain))
    log.append(log.line(status=422, details="via_upstream", **plain))
    drained(bench.start())
    assert (total(collector, "requests"), total(collector, "errors")) == (7, 4)


def test_a_request_belongs_to_the_second_in_which_it_ended(bench: Any, log: Any, collector: Any) -> None:
    for ts, took in (("100.900000", 50_000), ("100.900000", 150_000), ("98.500000", 3_000_000)):
        log.append(log.line(ts=ts, dur_us=took, assigned="none", experiment=None))
    drained(bench.start())
    found = {record["second"]: record for record in collector.counts}
    assert {at: record["requests"] for at, record in found.items()} == {100: 1, 101: 2}
    slow = dict(zip(SLOWER_THAN, found[101]["slow"], strict=True))
    assert slow == dict.fromkeys(SLOWER_THAN, 0) | {
        "10ms": 2, "20ms": 2, "50ms": 2, "100ms": 2, "200ms": 1, "500ms": 1, "1s": 1, "2s": 1,
    }  # fmt: skip


def test_one_report_has_many_requests(bench: Any, log: Any, collector: Any) -> None:
    log.append(*(log.line(ts="100.5", assigned="none", experiment=None) for _ in range(500)))
    drained(bench.start())
    assert len(collector.counts) == 1
    assert total(collector, "requests") == 500
    assert [post["path"] for post in collector.posts] == ["/v1/answers"]


def test_a_collector_that_takes_no_counts_holds_up_no_exposure(bench: Any, log: Any, collector: Any) -> None:
    collector.takes_counts = 503
    shipper = bench.start()
    ids = log.append(log.enrolled())
    while shipper.round():
        pass
    ids += log.append(log.enrolled())
    while shipper.round():
        pass
    assert collector.ids == ids
    assert bench.metric("assay_shipper_backlog_bytes") == 0
    collector.takes_counts = 200
    drained(shipper)
    assert total(collector, "requests") == 2, "what was not taken came later"


def test_a_collector_of_another_release_is_asked_no_more_than_once(
    bench: Any, log: Any, collector: Any
) -> None:
    collector.takes_counts = 404
    log.append(log.line(assigned="none", experiment=None))
    drained(bench.start())
    assert bench.metric("assay_shipper_refused_total") == 1
    assert bench.metric("assay_shipper_backlog_bytes") == 0


def test_what_waits_is_bounded_and_the_oldest_goes_first(
    bench: Any, log: Any, collector: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(answers, "MOST", 3)
    log.append(*(log.line(ts=f"{at}.5", assigned="none", experiment=None) for at in range(100, 110)))
    drained(bench.start())
    assert sorted(record["second"] for record in collector.counts) == [107, 108, 109]
    assert bench.metric("assay_shipper_lost_answers_total") == 7


def test_reports_are_paced(bench: Any, log: Any, collector: Any) -> None:
    shipper, began = bench.start(), time.monotonic()
    while time.monotonic() < began + 3 * answers.PAUSE:
        log.append(log.line(assigned="none", experiment=None))
        shipper.round()
    assert 1 <= len(collector.posts) <= (time.monotonic() - began) / answers.PAUSE + 1
