"""Counts of the gateways' answers: they add up by version and second, and a second is one observation."""

import random
import time
from typing import Any

import pytest
from sqlalchemy import text

from assay_assign import SLOWER_THAN
from assay_collector.batch import Answer, Answered, Second, SumQuery, Tick
from assay_collector.store import answers

CHURN = ("team", "churn", "churn-1")
BARS = len(SLOWER_THAN)
HOUR = 3_600


def second(at: int, requests: int, errors: int = 0, slow: int = 0, owner: Any = CHURN) -> Second:
    """Of `slow` requests, each took a moment more than half a second."""
    reached = SLOWER_THAN.index("500ms") + 1
    return Second(owner, at, (requests, errors, *([slow] * reached), *([0] * (BARS - reached))))


def sums(ledger: Any, since: float = 0, until: float = 1e11, owner: Any = CHURN) -> dict[str, Any]:
    now = ledger.now / 1e6
    return dict(
        ledger.read(lambda connection: answers.summed(connection, SumQuery(owner, since, until), now))
    )


@pytest.fixture
def now(ledger: Any) -> int:
    return int(ledger.now // 1_000_000)


def test_a_second_counts_once_whatever_the_number_of_its_requests(ledger: Any, now: int) -> None:
    batch = Answered([second(now - 3, 1000, 10), second(now - 2, 2, 1, slow=1), second(now - 1, 10)])
    assert ledger.one(batch) == Answer(accepted=3)
    found = sums(ledger)
    assert (found["seconds"], found["requests"]) == (3, 1012)
    assert found["errors"] == pytest.approx(0.01 + 0.5)
    assert found["slow"]["500ms"] == pytest.approx(0.5)
    assert found["slow"]["1s"] == 0


def test_gateways_add_up_in_any_order_and_in_any_groups(ledger: Any, now: int) -> None:
    rng = random.Random(5)
    rows = [second(now - 1 - rng.randrange(20), rng.randint(5, 9), rng.randint(0, 5)) for _ in range(200)]
    rng.shuffle(rows)
    ledger(*(Answered(rows[at : at + 7]) for at in range(0, 100, 7)), Answered([]))
    ledger(Answered(rows[100 + 5 :]))
    total: dict[int, tuple[int, int]] = {}
    for row in (*rows[:105], *rows[105:]):
        before = total.get(row.second, (0, 0))
        total[row.second] = before[0] + row.counts[0], before[1] + row.counts[1]
    found = sums(ledger)
    assert found["seconds"] == len(total)
    assert found["requests"] == sum(requests for requests, _ in total.values())
    assert found["errors"] == pytest.approx(sum(errors / requests for requests, errors in total.values()))


def test_what_comes_twice_makes_no_second_more_and_no_share_larger(ledger: Any, now: int) -> None:
    batch = Answered([second(now - 2, 4, 1), second(now - 1, 4, 3)])
    ledger(batch)
    before = sums(ledger)
    ledger(batch)
    assert sums(ledger) == before | {"requests": 16}


@pytest.mark.parametrize(
    ("since", "until", "seconds"),
    [(0, 1e11, 4), (-3, 1e11, 3), (-2.5, 1e11, 2), (0, -2, 2), (0, -1.5, 2), (-3, -2, 1)],
)
def test_whole_seconds_between_two_moments_are_summed(
    ledger: Any, now: int, since: float, until: float, seconds: int
) -> None:
    ledger(Answered([second(now - back, 1) for back in range(5)]))
    moments = [each if each in (0, 1e11) else now + each for each in (since, until)]
    assert sums(ledger, *moments)["seconds"] == seconds


def test_the_present_second_is_not_over(ledger: Any, now: int) -> None:
    ledger(Answered([second(now, 5, 5)]))
    assert sums(ledger)["seconds"] == 0
    ledger.now += 1_000_000
    assert sums(ledger)["seconds"] == 1


def test_a_second_from_the_future_belongs_to_now(ledger: Any, now: int) -> None:
    ledger(Answered([second(now + 500, 5)]))
    ledger.now += 1_000_000
    assert sums(ledger)["seconds"] == 1


def test_versions_are_apart(ledger: Any, now: int) -> None:
    others = [("team", "churn", "churn-2"), ("team", "other", "churn-1"), ("b", "churn", "churn-1")]
    ledger(Answered([second(now - 1, 1, 1, owner=owner) for owner in others]))
    assert sums(ledger) == {"seconds": 0, "requests": 0, "errors": 0, "slow": dict.fromkeys(SLOWER_THAN, 0)}
    assert [sums(ledger, owner=owner)["seconds"] for owner in others] == [1, 1, 1]


def test_counts_and_their_versions_are_forgotten_after_hours(ledger: Any, now: int) -> None:
    ledger(Answered([second(now - 1, 1)]))
    ledger.pass_time(HOUR)
    ledger(Answered([second(now - 1, 1, owner=("team", "churn", "churn-2"))]), Tick(sweep=True))
    ledger.pass_time(HOUR - 5)
    ledger(Tick(sweep=True))
    assert sums(ledger)["seconds"] == 1
    ledger.pass_time(10)
    assert ledger.one(Answered([second(now - 1, 1)])) == Answer(accepted=1, late=1)
    ledger(Tick(sweep=True))
    for table in ("answers", "versions"):
        query = text(f"SELECT count(*) FROM {table}")
        assert ledger.read(lambda connection, query=query: connection.execute(query).scalar()) == 0


def test_the_number_of_versions_is_bounded(ledger: Any, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_VERSIONS", 3)
    made = [second(now - 1, 1, owner=("team", "churn", f"churn-{number}")) for number in range(5)]
    assert ledger.one(Answered(made)) == Answer(accepted=3, unknown=2)
    assert ledger.one(Answered(made[:3])) == Answer(accepted=3)


RECORD = {
    "namespace": "team", "model": "churn", "version": "churn-1", "second": 1, "requests": 4, "errors": 1,
    "slow": [0] * BARS,
}  # fmt: skip


def test_shippers_report_and_the_operator_asks(collector: Any) -> None:
    at = int(time.time()) - 2
    with collector.client("gateway") as gateway:
        answer = gateway.post("/v1/answers", json=[RECORD | {"second": at}, RECORD | {"second": at - 1}])
        assert answer.json() == {"accepted": 2, "unknown": 0, "late": 0}
    question = {name: RECORD[name] for name in ("namespace", "model", "version")}
    with collector.client("operator") as operator:
        questions = [question | {"since": at}, question | {"since": 0, "until": at}, question | {"since": 0}]
        found = operator.post("/v1/answers/sums", json=questions).json()["sums"]
    assert [(each["seconds"], each["requests"], each["errors"]) for each in found] == [
        (1, 4, 0.25), (1, 4, 0.25), (2, 8, 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "path", "body", "status"),
    [
        pytest.param("application", "/v1/answers", [RECORD], 403, id="an application counts nothing"),
        pytest.param("gateway", "/v1/answers/sums", [], 403, id="a gateway asks nothing"),
        pytest.param("gateway", "/v1/answers", [RECORD | {"errors": 5}], 422, id="more errors than requests"),
        pytest.param(
            "gateway", "/v1/answers", [RECORD | {"requests": 0, "errors": 0}], 422, id="no requests"
        ),
        pytest.param("gateway", "/v1/answers", [RECORD | {"slow": [0]}], 422, id="too few bars"),
        pytest.param("gateway", "/v1/answers", [RECORD | {"second": 1.5}], 422, id="half a second"),
        pytest.param("gateway", "/v1/answers", [RECORD | {"version": "a/b"}], 422, id="no version's name"),
        pytest.param("operator", "/v1/answers/sums", [{"namespace": "a"}], 422, id="half a question"),
        pytest.param("operator", "/v1/answers/sums", "x", 422, id="no question"),
    ],
)
def test_what_is_not_right_is_refused(collector: Any, role: str, path: str, body: Any, status: int) -> None:
    with collector.client(role) as client:
        assert client.post(path, json=body).status_code == status
