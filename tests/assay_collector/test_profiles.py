"""Counts of predictors: each batch counts once, adds up over pods, and belongs to its window."""

import random
import time
from collections import Counter
from typing import Any

import httpx
import pytest

from assay_collector.batch import Answer, Counted, Tick
from assay_collector.store import profiles
from assay_collector.store.profiles import WINDOW
from assay_drift.token import predictor_token

OWNER = ("team-a", "churn", "churn-1", "sha256:" + "1" * 64)
DAY = 86_400_000_000


def profile_batch(
    number: int, at: int, cells: tuple[int, ...] = (1, 2, 3), source: str = "pod-a", owner: Any = OWNER
) -> Counted:
    columns = {"features": {"age": cells}, "predictions": {"label": cells[:2]}}
    return Counted(owner, source, number, at, sum(cells), columns)


def total(ledger: Any, since: int = 0, until: int = 2**60, names: tuple[str, str, str] = OWNER[:3]) -> Any:
    found = ledger.read(lambda connection: profiles.summed(connection, names, since, until))
    return found[0] if found else None


def test_a_batch_counts_once_however_often_it_comes(ledger: Any) -> None:
    content = profile_batch(1, ledger.now)
    assert ledger(content, content) == [Answer(accepted=1), Answer(duplicates=1)]
    assert ledger.one(content) == Answer(duplicates=1)
    assert total(ledger)["features"] == {"age": [1, 2, 3]}
    assert total(ledger)["rows"] == 6


def test_pods_add_up_and_their_numbers_are_their_own(ledger: Any) -> None:
    ledger(*[profile_batch(n, ledger.now, source=pod) for pod in ("a", "b", "c") for n in (1, 2)])
    assert total(ledger)["features"] == {"age": [6, 12, 18]}


def test_any_order_of_pods_with_any_repetition_gives_the_same_sums(ledger: Any) -> None:
    draw = random.Random(7)
    sent = {
        pod: [profile_batch(n, ledger.now, (draw.randrange(9), n), pod) for n in range(1, 30)]
        for pod in "abc"
    }
    queues = {pod: list(batches) for pod, batches in sent.items()}
    while any(queues.values()):
        pod = draw.choice([pod for pod, waiting in queues.items() if waiting])
        ledger(*[queues[pod][0]] * draw.choice([1, 1, 2]))
        if draw.random() < 0.8:  # else the answer was lost, and it comes again
            queues[pod].pop(0)
    wanted = [
        sum(p.columns["features"]["age"][cell] for each in sent.values() for p in each) for cell in (0, 1)
    ]
    assert total(ledger)["features"]["age"] == wanted


def test_counts_belong_to_the_window_in_which_they_were_taken(ledger: Any) -> None:
    ledger.now -= ledger.now % WINDOW
    begin = ledger.now - 3 * WINDOW
    ledger(*[profile_batch(n + 1, begin + n * WINDOW) for n in range(3)])
    assert total(ledger, begin + WINDOW, begin + 2 * WINDOW)["rows"] == 6
    assert total(ledger, begin, begin + 2 * WINDOW)["rows"] == 12
    assert total(ledger)["rows"] == 18
    assert total(ledger, ledger.now) is None


def test_what_seems_to_come_from_the_future_belongs_to_now(ledger: Any) -> None:
    ledger.one(profile_batch(1, ledger.now + DAY))
    assert total(ledger, until=ledger.now + 1)["rows"] == 6


def test_a_column_that_is_left_out_later_keeps_its_counts(ledger: Any) -> None:
    ledger.one(profile_batch(1, ledger.now))
    fewer = Counted(OWNER, "pod-b", 1, ledger.now, 2, {"features": {}, "predictions": {"label": (1, 1)}})
    assert ledger.one(fewer).accepted == 1
    assert total(ledger)["features"] == {"age": [1, 2, 3]}
    assert total(ledger)["predictions"] == {"label": [2, 3]}


def test_counts_on_other_cells_are_not_added(ledger: Any) -> None:
    ledger.one(profile_batch(1, ledger.now))
    assert ledger.one(profile_batch(2, ledger.now, (1, 2, 3, 4))) == Answer(unknown=1)
    assert total(ledger)["rows"] == 6


def test_another_profile_of_the_same_version_is_another_sum(ledger: Any) -> None:
    other = (*OWNER[:3], "sha256:" + "2" * 64)
    ledger(profile_batch(1, ledger.now), profile_batch(1, ledger.now, (1, 2, 3, 4), owner=other))
    found = ledger.read(lambda connection: profiles.summed(connection, OWNER[:3], 0, 2**60))
    assert Counter(one["profile"] for one in found) == {OWNER[3]: 1, other[3]: 1}


def test_old_counts_are_forgotten_with_all_that_belongs_to_them(ledger: Any) -> None:
    ledger.one(profile_batch(1, ledger.now))
    ledger.now += 15 * DAY
    assert ledger.one(profile_batch(2, ledger.now - 15 * DAY)) == Answer(late=1)
    ledger(Tick(sweep=True))
    assert total(ledger) is None
    for table in ("profiles", "counts", "senders"):
        rows = ledger.read(lambda c, table=table: c.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar())
        assert rows == 0, table


def test_a_namespace_cannot_fill_the_database_with_names(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "MOST_PROFILES", 3)
    versions = [
        profile_batch(1, ledger.now, owner=("team-a", "churn", f"churn-{n}", OWNER[3])) for n in range(5)
    ]
    assert [ledger.one(each).accepted for each in versions] == [1, 1, 1, 0, 0]
    assert ledger.one(profile_batch(1, ledger.now, owner=("team-b", *OWNER[1:]))).accepted == 1


def body(**change: Any) -> dict[str, Any]:
    content = {
        "namespace": "team-a", "model": "churn", "version": "churn-1", "profile": OWNER[3],
        "source": "pod-a:1", "sequence": 1, "from": time.time() - 60, "until": time.time(), "rows": 3,
        "features": {"age": [0, 1, 2]}, "predictions": {"label": [1, 2]},
    }  # fmt: skip
    return content | change


def ask(collector: Any, token: str, content: Any) -> httpx.Response:
    with collector.client("nobody") as client:
        answer: httpx.Response = client.post(
            "/v1/profiles", json=content, headers={"Authorization": f"Bearer {token}"}
        )
        return answer


OURS = predictor_token(b"predictor-token", "team-a")


def test_a_predictor_posts_and_the_operator_reads(collector: Any) -> None:
    assert ask(collector, OURS, body()).json() == {"accepted": 1, "duplicates": 0, "late": 0}
    assert ask(collector, OURS, body()).json()["duplicates"] == 1
    with collector.client("operator") as operator:
        content = operator.get(
            "/v1/profiles/team-a/churn/churn-1", params={"since": time.time() - 3600}
        ).json()
        assert (
            operator.get("/v1/profiles/team-a/churn/churn-1", params={"until": 10}).json()["profiles"] == []
        )
    (one,) = content["profiles"]
    assert (one["rows"], one["features"], one["predictions"]) == (3, {"age": [0, 1, 2]}, {"label": [1, 2]})
    assert one["profile"] == OWNER[3]


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param("", 401, id="nobody"),
        pytest.param("predictor-token", 401, id="the key itself"),
        pytest.param("operator-token", 401, id="another role"),
        pytest.param(predictor_token(b"another installation", "team-a"), 401, id="another installation's"),
        pytest.param(predictor_token(b"predictor-token", "team-b"), 403, id="another namespace's"),
    ],
)
def test_a_token_is_good_for_its_own_namespace_only(collector: Any, token: str, status: int) -> None:
    assert ask(collector, token, body()).status_code == status


def test_while_the_key_changes_tokens_of_the_old_and_the_new_one_are_good(collector: Any) -> None:
    (collector.tokens / "predictor").write_text("another key\npredictor-token\n")
    for key in (b"another key", b"predictor-token"):
        assert ask(collector, predictor_token(key, "team-a"), body()).status_code == 200
    (collector.tokens / "predictor").write_text("another key")
    assert ask(collector, OURS, body()).status_code == 401


@pytest.mark.parametrize("path", ["/v1/outcomes", "/v1/exposures"])
def test_a_predictor_may_do_nothing_else(collector: Any, path: str) -> None:
    headers = {"Authorization": f"Bearer {OURS}"}
    with collector.client("nobody") as client:
        assert client.post(path, json=[], headers=headers).status_code == 401
        assert client.get("/v1/profiles/team-a/churn/churn-1", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"sequence": 0}, "sequence", id="no number"),
        pytest.param({"profile": "md5:1"}, "profile", id="no digest"),
        pytest.param({"features": {"age": [1.5]}}, "features.age.0", id="half a row"),
        pytest.param({"features": {"age": [-1]}}, "features.age.0", id="fewer than none"),
        pytest.param({"features": {"age": [10**15]}}, "features.age.0", id="more than there can be"),
        pytest.param({"features": {"age": [0] * 1001}}, "features.age", id="too many cells"),
        pytest.param({"until": 1e300}, "until", id="the end of time"),
        pytest.param({"values": [1]}, "values", id="values, which have no business here"),
    ],
)
def test_what_is_not_counts_is_refused_by_field(collector: Any, change: dict[str, Any], field: str) -> None:
    answer = ask(collector, OURS, body(**change))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_cells_that_do_not_fit_are_a_conflict(collector: Any) -> None:
    assert ask(collector, OURS, body()).status_code == 200
    answer = ask(collector, OURS, body(sequence=2, features={"age": [1]}))
    assert answer.status_code == 409
    assert "other cells" in answer.json()["detail"]


def test_an_acknowledged_batch_survives_a_kill(make_collector: Any) -> None:
    process = make_collector()
    process.start()
    headers = {"Authorization": f"Bearer {OURS}"}
    for number in range(1, 6):
        assert httpx.post(
            f"{process.url}/v1/profiles", json=body(sequence=number), headers=headers
        ).is_success
    process.kill()
    process.start()
    again = httpx.post(f"{process.url}/v1/profiles", json=body(sequence=5), headers=headers).json()
    assert again["duplicates"] == 1
    with process.client("operator") as operator:
        (one,) = operator.get("/v1/profiles/team-a/churn/churn-1").json()["profiles"]
    assert one["rows"] == 15
