"""Whether an answer is an error; lines as a real Envoy writes them (tests/gateway/test_outcomes.py)."""

from typing import Any

import pytest

from assay_shipper.exposure import NEVER_US, parse
from assay_shipper.fault import Fault, fault

KEY = b"a key for tests"
WELL = {
    "served": "boosted", "status": 200, "attempts": 1, "flags": "-", "details": "via_upstream",
    "bytes": 3, "method": "POST", "dur_us": 900,
}  # fmt: skip
ENROLLED = {"assigned": "boosted", "table": "boosted:0-10000"}
AFTER = "upstream_reset_after_response_started{protocol_error}"

CASES = [
    pytest.param({}, None, id="served well"),
    pytest.param({"status": 304, "bytes": 0}, None, id="a status that has no body"),
    pytest.param({"status": 204, "bytes": 0}, None, id="no content, and it says so"),
    pytest.param({"bytes": 0, "method": "HEAD"}, None, id="a question without a body in its answer"),
    pytest.param({"bytes": None, "method": None}, None, id="a line of an older gateway"),
    pytest.param({"bytes": 0}, Fault.EMPTY, id="200 without a byte"),
    pytest.param({"status": 422}, Fault.REFUSED, id="a 422 of the model"),
    pytest.param({"status": 429}, Fault.REFUSED, id="a 429 of the model"),
    pytest.param({"status": 429, "details": "local_rate_limited"}, None, id="a 429 of the gateway"),
    pytest.param(
        {"status": 429, "details": "local_rate_limited", "served": None, "attempts": 0},
        None,
        id="a 429 of the gateway before anybody was asked",
    ),
    pytest.param(
        {"status": 408, "details": "request_overall_timeout", "served": None, "attempts": 0},
        None,
        id="a caller that was too slow",
    ),
    pytest.param({"status": 422, "served": "champion", "attempts": 2}, Fault.COVERED, id="both refuse"),
    pytest.param({"status": 500}, Fault.FAILED, id="a 500 of the model"),
    pytest.param(
        {"status": 503, "served": "boosted", "details": "no_healthy_upstream"}, Fault.FAILED, id="no pod"
    ),
    pytest.param({"status": 503, "served": None, "attempts": 0}, Fault.COVERED, id="nobody could be asked"),
    pytest.param({"status": 504, "flags": "UT", "details": "response_timeout"}, Fault.FAILED, id="504"),
    pytest.param({"served": "champion", "attempts": 2}, Fault.COVERED, id="covered after a failure"),
    pytest.param({"served": "champion"}, Fault.COVERED, id="covered at once"),
    pytest.param({"attempts": 2}, Fault.COVERED, id="answered by another pod of the arm"),
    pytest.param({"flags": "UPE", "details": AFTER, "dur_us": None}, Fault.CUT, id="cut by the model"),
    pytest.param({"flags": "UC", "details": AFTER, "dur_us": None}, Fault.CUT, id="connection lost"),
    pytest.param({"flags": "UT", "details": "response_timeout", "dur_us": None}, Fault.CUT, id="too late"),
    pytest.param({"flags": "-", "dur_us": None}, Fault.CUT, id="no end and no reason"),
    pytest.param({"flags": "DC", "status": 0, "dur_us": None, "bytes": 0}, Fault.LEFT, id="the caller left"),
    pytest.param({"flags": "DC", "dur_us": None}, Fault.LEFT, id="the caller left in the middle"),
    pytest.param({"flags": "UT,DC", "status": 0, "dur_us": None}, Fault.LEFT, id="several flags"),
    pytest.param({"status": None, "dur_us": None}, Fault.FAILED, id="no answer at all"),
]


@pytest.mark.parametrize(("change", "found"), CASES)
def test_an_answer_of_an_arm_is_judged(change: dict[str, Any], found: Fault | None, log: Any) -> None:
    assert fault(WELL | change, "boosted") == found
    line = parse(log.line(**(WELL | ENROLLED | change)), KEY)
    assert line.fault == found
    assert line.record is not None
    assert line.record["failed"] is (found is not None)


@pytest.mark.parametrize("assigned", ["none", "unenrolled"])
def test_the_champions_own_traffic_is_judged_by_the_same_rule(log: Any, assigned: str) -> None:
    champion = WELL | {"assigned": assigned, "table": "control:0-0", "served": "champion"}
    assert parse(log.line(**champion), KEY).fault is None
    assert parse(log.line(**champion), KEY).record is None
    assert parse(log.line(**(champion | {"status": 422})), KEY).fault is Fault.REFUSED
    assert parse(log.line(**(champion | {"attempts": 2})), KEY).fault is Fault.COVERED


@pytest.mark.parametrize(("change", "found"), CASES)
def test_an_answer_without_an_end_is_slower_than_any_limit(
    change: dict[str, Any], found: Fault | None, log: Any
) -> None:
    record = parse(log.line(**(WELL | ENROLLED | change)), KEY).record
    assert record is not None
    unfinished = found in (Fault.CUT, Fault.LEFT) or change.get("status", 200) in (0, None)
    assert record["duration_us"] == (NEVER_US if unfinished else 900)
