"""Back-off and bodies, by properties."""

import gzip
import json

from hypothesis import example, given
from hypothesis import strategies as st

from assay_outbox import Attempts, Backoff, ndjson
from assay_outbox.backoff import LONGEST, SHORTEST, pause

RECORDS = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=400), max_size=4))


@given(st.integers(1, 10_000), st.floats(SHORTEST, 1000))
def test_a_pause_doubles_up_to_its_bound(failures: int, longest: float) -> None:
    bound = min(longest, SHORTEST * 2.0 ** min(failures - 1, 60))
    assert bound / 2 <= pause(failures, longest) <= bound


@given(st.lists(st.booleans()))
def test_a_sender_is_ready_after_success_and_waits_after_failure(outcomes: list[bool]) -> None:
    now, failed_at = 100.0, None
    backoff = Backoff(lambda: now)
    for success in outcomes:
        if success:
            backoff.succeeded()
            failed_at = None
        else:
            backoff.failed()
            failed_at = now if failed_at is None else failed_at
        assert backoff.ready() == success
        assert 0 <= backoff.wait() <= LONGEST
        assert backoff.blocked() == (0 if failed_at is None else now - failed_at)
        now += backoff.wait()
        assert backoff.ready()


@given(st.floats(0.001, 1000))
def test_attempts_end_before_the_patience_does(patience: float) -> None:
    now = 0.0
    attempts = Attempts(patience, lambda: now)
    while (seconds := attempts.pause()) is not None:
        now += seconds
    assert now < patience
    assert now + LONGEST >= patience or patience > 1000


@given(RECORDS)
@example([{"reason": "x" * 9000}])
def test_a_body_is_read_back_as_the_records_that_it_was_made_of(records: list[dict[str, int | str]]) -> None:
    body, headers = ndjson(records)
    packed = headers.get("Content-Encoding") == "gzip"
    text = gzip.decompress(body) if packed else body
    assert [json.loads(line) for line in text.splitlines()] == records
    assert packed == (len(text) > 8192)
