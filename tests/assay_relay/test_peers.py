"""Gateways tell each other what they remember, and nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from assay_relay import peers

ONCE = b"1" * peers.ONCE
KEYS = st.text("abc012", min_size=1).map(str.encode)


@given(KEYS, KEYS, st.binary())
def test_whoever_has_a_key_of_gateways_is_answered(old: bytes, new: bytes, body: bytes) -> None:
    reply = peers.answer([new, old], peers.question(old, ONCE), body)
    assert reply is not None
    assert peers.content(old, ONCE, reply) == body


@given(KEYS, KEYS)
def test_nobody_else_is(key: bytes, guess: bytes) -> None:
    query = peers.question(guess, ONCE)
    assert (peers.answer([key], query, b"routes") is not None) == (guess == key)
    assert peers.answer([], query, b"routes") is None


@given(st.binary(max_size=100))
def test_noise_is_no_question(noise: bytes) -> None:
    assert peers.answer([b"key"], noise, b"routes") is None


def test_an_answer_is_to_one_question_and_cannot_be_changed_or_sent_back() -> None:
    query = peers.question(b"key", ONCE)
    reply = peers.answer([b"key"], query, b"routes")
    assert reply is not None
    assert peers.content(b"key", b"2" * peers.ONCE, reply) is None
    assert peers.content(b"key", ONCE, reply[:-1] + b"S") is None
    assert peers.content(b"key", ONCE, query) is None, "a question is no answer"
    assert peers.answer([b"key"], reply, b"routes") is None, "an answer is no question"
