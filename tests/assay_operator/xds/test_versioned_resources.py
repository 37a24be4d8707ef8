from hypothesis import given, settings
from hypothesis import strategies as st

from assay_operator.xds.versioned_resources import VersionedResources

KEYS = st.sampled_from("abcd")
STEPS = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=2)))


def replayed(steps: list[tuple[str, bytes | None]]) -> tuple[VersionedResources, dict[str, bytes]]:
    resources: VersionedResources = VersionedResources()
    plain: dict[str, bytes] = {}
    for key, value in steps:
        if value is None:
            assert resources.drop(key) == (plain.pop(key, None) is not None)
        else:
            assert resources.put(key, value) == (plain.get(key) != value)
            plain[key] = value
    return resources, plain


@settings(deadline=None)
@given(STEPS)
def test_the_version_depends_on_what_is_there_and_not_on_how_it_came(
    steps: list[tuple[str, bytes | None]],
) -> None:
    resources, plain = replayed(steps)
    fresh, _ = replayed(sorted(plain.items(), reverse=True))
    assert resources.version == fresh.version
    assert {key: resources.get(key) for key in resources} == plain


@settings(deadline=None)
@given(STEPS, STEPS)
def test_other_content_has_another_version(
    one: list[tuple[str, bytes | None]], two: list[tuple[str, bytes | None]]
) -> None:
    (a, plain_a), (b, plain_b) = replayed(one), replayed(two)
    assert (a.version == b.version) == (plain_a == plain_b)


@settings(deadline=None)
@given(STEPS, STEPS)
def test_news_is_what_another_set_lacks(
    one: list[tuple[str, bytes | None]], two: list[tuple[str, bytes | None]]
) -> None:
    resources, plain = replayed(one)
    _, known = replayed(two)
    news = set(resources.news(known))
    assert {**known, **{key: plain[key] for key in news}} == {**known, **plain}
    assert not [key for key in news if known.get(key) == plain[key]]


def test_a_copy_stays_what_it_was() -> None:
    resources, _ = replayed([("a", b"1")])
    copy = resources.copy()
    resources.put("a", b"2")
    assert (copy.get("a"), resources.get("a")) == (b"1", b"2")
    assert copy.version != resources.version
