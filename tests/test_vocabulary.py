"""One word for one thing, the field's: retired words are in no new place, and the list of old ones shrinks.

`tests/support/vocabulary.py` has the words and what stands for them.
"""

import ast

import pytest
import vocabulary


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return vocabulary.found()


def beyond(words: dict[str, set[str]], known: dict[str, set[str]]) -> dict[str, list[str]]:
    """Return the words of each file that are not known of it."""
    more = {path: sorted(here - known.get(path, set())) for path, here in words.items()}
    return {path: here for path, here in more.items() if here}


def test_retired_words_come_back_nowhere(found: dict[str, set[str]]) -> None:
    instead = "these are retired; tests/support/vocabulary.py says what stands for them"
    assert beyond(found, vocabulary.leftovers()) == {}, instead


def test_what_is_gone_is_on_the_list_no_more(found: dict[str, set[str]]) -> None:
    command = "well done; now run `python tests/support/vocabulary.py`"
    assert beyond(vocabulary.leftovers(), found) == {}, command


def test_a_retired_word_is_found_wherever_a_name_is_made() -> None:
    source = (
        "def f(told, *, x=1):\n    self.asked = [seen for seen in x]\n"
        "class Town: said: int = 2\nimport x as parcel\n"
    )
    assert vocabulary.in_code("operator/book.py", source) == {
        "asked", "book.py", "parcel", "said", "seen", "told", "Town",
    }  # fmt: skip


def test_a_retired_phrase_is_found_in_what_people_read_only() -> None:
    source = '"""A parcel."""\nreason = f"{3} of nothing is wrong"\n'
    assert vocabulary.in_code("services/x.py", source) == {"nothing is wrong"}
    assert list(vocabulary.texts(ast.parse("x = 'a'"))) == ["a"]
