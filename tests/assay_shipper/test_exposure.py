"""What a line becomes: a record with a pseudonym and an audit, or nothing, or a complaint."""

import json
from typing import Any

import pytest

from assay_assign import pseudonym, slot
from assay_shipper.exposure import NEVER_US, parse

KEY = b"a key for tests"


def test_an_enrolled_line_becomes_a_record_without_the_raw_unit(log: Any) -> None:
    text = log.enrolled(unit="user-1", assigned="control", table="control:0-10000", dur_us=77)
    line = parse(text, KEY)
    assert line.record == {
        "id": json.loads(text)["id"], "ts": float(json.loads(text)["ts"]), "experiment": "exp-1", "epoch": 3,
        "unit": pseudonym(KEY, "user-1"), "arm": "control", "served": "control",
        "version": "churn-1", "status": 200,
        "duration_us": 77, "attempts": 1, "failed": False, "audit": "ok",
    }  # fmt: skip
    assert line.sound


def test_a_wrong_arm_fails_the_audit_and_is_sent_all_the_same(log: Any) -> None:
    line = parse(log.line(table="control:0-10000", assigned="boosted"), KEY)
    assert line.record is not None
    assert (line.sound, line.record["audit"], line.record["arm"]) == (False, "mismatch", "boosted")


@pytest.mark.parametrize(("salt", "sound"), [("layer-1", True), ("exp-1", False), (None, False)])
def test_in_a_layer_the_audit_hashes_with_the_layers_salt(log: Any, salt: str | None, sound: bool) -> None:  # noqa: FBT001
    here = slot("layer-1", "user-1")
    line = parse(
        log.enrolled(unit="user-1", assigned="control", table=f"control:{here}-{here + 1}", salt=salt), KEY
    )
    assert line.sound == sound


NOT_SENT = [
    pytest.param(
        {"assigned": "none", "experiment": None, "unit": None, "table": None}, True, id="no experiment"
    ),
    pytest.param({"assigned": "none", "unit": None}, True, id="no unit header"),
    pytest.param({"assigned": None, "experiment": None}, True, id="a route without assignment"),
    pytest.param({"assigned": "unenrolled", "table": "control:0-0"}, True, id="not enrolled"),
    pytest.param({"assigned": "unenrolled", "table": "control:0-10000"}, False, id="wrongly not enrolled"),
]


@pytest.mark.parametrize(("change", "sound"), NOT_SENT)
def test_who_is_in_no_arm_is_counted_and_not_sent(log: Any, change: dict[str, Any], sound: bool) -> None:  # noqa: FBT001
    line = parse(log.line(**change), KEY)
    assert (line.record, line.sound) == (None, sound)


MALFORMED = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[1, 2]", id="an array"),
    pytest.param(b'{"ts": 1, "id": "x', id="half a line"),
    pytest.param(b"\x00\xff\x00", id="bytes"),
    pytest.param(b'{"assigned": "a", "experiment": "e", "unit": null, "ts": 1}', id="an arm without a unit"),
    pytest.param(
        b'{"assigned": "a", "experiment": "e", "unit": "u", "table": "a:9-1", "ts": 1}', id="no table"
    ),
    pytest.param(b'{"assigned": "a", "experiment": "e", "unit": "u", "table": "", "ts": "x"}', id="no time"),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_line_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several, by kind of damage
        parse(text, KEY)


def test_a_line_behind_half_a_line_is_saved(log: Any) -> None:
    whole = log.enrolled()
    assert parse(whole[:40] + whole, KEY) == parse(whole, KEY)


def test_numbers_that_envoy_leaves_out_are_zero_and_the_end_that_did_not_come_is_never(log: Any) -> None:
    record = parse(
        log.enrolled(status=None, dur_us=None, attempts=None, served=None, version=None), KEY
    ).record
    assert record is not None
    assert (record["status"], record["duration_us"], record["attempts"]) == (0, NEVER_US, 0)


@pytest.mark.parametrize("unit", ["Ünïcødé", "a:b", "x" * 8_000, "<script>", "user@example.org", "0"])
def test_any_unit_is_audited(log: Any, unit: str) -> None:
    line = parse(log.line(unit=unit, table="control:0-10000", assigned="control"), KEY)
    assert line.sound
    assert line.record is not None
    assert line.record["unit"] == pseudonym(KEY, unit)
