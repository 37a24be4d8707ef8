"""What is read quickly is read as the careful reader reads it, and nothing else is taken."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay_collector.batch import Outcomes
from assay_collector.parsing import fast_path, records
from assay_collector.problem import Problem

KEY, NOW = b"k" * 32, 1_800_000_000_000_000
PLAIN: dict[str, Any] = {"model": "demo/churn", "unit": "u-1", "metric": "paid", "value": 1, "id": "a"}
EXPOSURE: dict[str, Any] = {
    "id": "r",
    "ts": 1.5,
    "experiment": "e",
    "unit": "0" * 32,
    "arm": "control",
    "status": 200,
}

STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),
    st.text(max_size=30),
    st.sampled_from(
        ["", "a/b", "/", " ", "x y", "a\x00", "2026-01-01", "2026-01-01T00:00:00Z", "1e3", "1969-12-31"]
    ),
    st.sampled_from(
        ["A" * 32, "0" * 31, "0" * 32 + "\n", "ok", "é" * 512, "é" * 513, 2**31, 1e11, 1e15, 1.1e15]
    ),
    st.lists(st.integers(), max_size=2),
)


def reading(read: Any, body: bytes) -> Any:
    """Return the rows, or the words of the refusal."""
    try:
        return read(body).rows
    except Problem as problem:
        return (problem.status, problem.detail)


def outcomes(body: bytes) -> Outcomes:
    return records.outcomes(body, KEY, NOW)


def careful(read: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def slowly(body: bytes) -> Any:
        with monkeypatch.context() as patch:
            for each in ("outcomes", "exposures"):
                patch.setattr(fast_path, each, lambda _: None)
            return read(body)

    return slowly


CASES = [
    (outcomes, PLAIN, ("namespace", "time", "more")),
    (records.exposures, EXPOSURE, ("epoch", "served", "audit", "duration_us", "failed")),
]


@pytest.mark.parametrize(("read", "record", "optional"), CASES)
def test_the_quick_and_the_careful_reader_agree(
    read: Any, record: dict[str, Any], optional: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    @given(
        changes=st.dictionaries(st.sampled_from([*record, *optional]), STRANGE, max_size=2),
        lines=st.booleans(),
        gone=st.sampled_from(["", *record]),
    )
    @example(changes={"time": 1e11}, lines=False, gone="")
    @example(changes={"model": "churn", "namespace": "demo"}, lines=True, gone="")
    @example(changes={"unit": 12345678901234567890123}, lines=False, gone="")
    def agree(changes: dict[str, Any], lines: bool, gone: str) -> None:  # noqa: FBT001
        odd = {name: value for name, value in (record | changes).items() if name != gone}
        texts = [json.dumps(each) for each in (record, odd)]
        body = ("\n".join(texts) if lines else f"[{','.join(texts)}]").encode()
        assert reading(read, body) == reading(careful(read, monkeypatch), body)

    agree()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            rb'[{"model":"d/c","unit":"\ud800","metric":"m","value":1,"id":"a"}]', id="half a surrogate"
        ),
        pytest.param(b'[{"model":"d/c","unit":"\xff","metric":"m","value":1,"id":"a"}]', id="no UTF-8"),
        pytest.param(b'[{"model":"d/c","unit":"u","metric":"m","value":NaN,"id":"a"}]', id="NaN"),
        pytest.param(
            b'[{"model":"d/c","unit":"u","metric":"m","value":1e400,"id":"a"}]', id="more than a number"
        ),
        pytest.param(b"[]", id="nothing"),
        pytest.param(b"", id="no body"),
        pytest.param(b"\n\n", id="empty lines"),
        pytest.param(b" [1]", id="a number"),
        pytest.param(b'[{"a":' * 2000, id="a deep hole"),
    ],
)
def test_what_is_not_as_it_should_be_goes_the_careful_way(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading(outcomes, body) == reading(careful(outcomes, monkeypatch), body)


def test_ordinary_records_are_read_quickly() -> None:
    """Else all of this would be for nothing."""
    assert fast_path.outcomes(
        json.dumps([PLAIN, PLAIN | {"unit": 7, "time": "2026-01-01T00:00:00Z"}]).encode()
    )
    assert fast_path.exposures(json.dumps(EXPOSURE).encode() + b"\n" + json.dumps(EXPOSURE).encode())


def test_too_many_records_are_too_many_for_both() -> None:
    body = b"\n".join([json.dumps(EXPOSURE).encode()] * (records.MOST_RECORDS + 1))
    with pytest.raises(Problem, match=re.escape(str(records.MOST_RECORDS))):
        records.exposures(body)
