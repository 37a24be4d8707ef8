"""Gateways tell each other what they remember, and nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from assay_relay import peers

ONCE = b"1" * peers.ONCE
KEYS = st.text("abc012", min_size=1).map(str.encode)


@given(KEYS, KEYS, st.binary())
def test_whoever_has_a_key_of_gateways_is_answered(old: bytes, new: bytes, body: bytes) -> None:
    told = peers.answer([new, old], peers.question(old, ONCE), body)
    assert told is not None
    assert peers.content(old, ONCE, told) == body


@given(KEYS, KEYS)
def test_nobody_else_is(key: bytes, guess: bytes) -> None:
    asked = peers.question(guess, ONCE)
    assert (peers.answer([key], asked, b"routes") is not None) == (guess == key)
    assert peers.answer([], asked, b"routes") is None


@given(st.binary(max_size=100))
def test_noise_is_no_question(noise: bytes) -> None:
    assert peers.answer([b"key"], noise, b"routes") is None


def test_an_answer_is_to_one_question_and_cannot_be_changed_or_sent_back() -> None:
    asked = peers.question(b"key", ONCE)
    told = peers.answer([b"key"], asked, b"routes")
    assert told is not None
    assert peers.content(b"key", b"2" * peers.ONCE, told) is None
    assert peers.content(b"key", ONCE, told[:-1] + b"S") is None
    assert peers.content(b"key", ONCE, asked) is None, "a question is no answer"
    assert peers.answer([b"key"], told, b"routes") is None, "an answer is no question"
