"""`Outcomes` over the collector's HTTP API."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter

from assay_api.names import mature
from assay_operator.decide.experiment_facts import QualityCounts
from assay_operator.decide.maturity import Maturity
from assay_operator.telemetry import (
    AnswerQuestion,
    Answers,
    ArmSummary,
    Changes,
    SourceError,
    SourceUnavailable,
    Summary,
)
from assay_operator.telemetry.http import Http, NoReplyError
from assay_operator.telemetry.sums import Sums, validated
from assay_stats import Moments

_SECONDS = 5.0  # for an answer
_LONGEST = 16 << 20  # bytes of an answer
_NOT_FOUND = 404
MOST_UNKNOWN = 20  # names of metrics that the status may hold

_failures = Counter("assay_collector_failures", "Questions that the collector did not answer.", ["reason"])


@dataclass(frozen=True)
class Collector:
    """Asks the collector; the token is read anew for each question, as Secrets are rotated in place."""

    http: Http
    url: str
    token: Callable[[], str]

    async def define(self, uid: str, definition: Mapping[str, Any]) -> None:
        """See `Outcomes.define`."""
        await self._ask("PUT", f"/v1/experiments/{uid}", json=dict(definition))

    async def summary(self, uid: str) -> Summary | None:
        """See `Outcomes.summary`."""
        answer = await self._ask("GET", f"/v1/experiments/{uid}/summary", absent=True)
        return _summary(answer) if answer is not None else None

    async def changes(self, since: int, timeout: float) -> Changes:  # noqa: ASYNC109
        """See `Outcomes.changes`."""
        query = {"since": since, "timeout": timeout}
        answer = await self._ask("GET", "/v1/changes", params=query, seconds=timeout + _SECONDS)
        return Changes(answer["revision"], tuple(answer["experiments"]))

    async def answer_sums(self, questions: Sequence[AnswerQuestion]) -> tuple[Answers, ...]:
        """See `Outcomes.answer_sums`."""
        answer = await self._ask("POST", "/v1/answers/sums", json=[_question(each) for each in questions])
        try:
            return tuple(Answers(each["seconds"], each["errors"], each["slow"]) for each in answer["sums"])
        except (KeyError, TypeError) as error:
            raise SourceUnavailable(f"the collector does not count answers: {error!r}") from error

    async def _ask(
        self, method: str, path: str, *, absent: bool = False, seconds: float = _SECONDS, **more: Any
    ) -> Any:
        try:
            head = {"authorization": f"Bearer {self.token()}"}
            reply = await self.http.request(
                method, f"{self.url}{path}", seconds=seconds, longest=_LONGEST, headers=head, **more
            )
            if absent and reply.status == _NOT_FOUND:
                return None
            if reply.success:
                return json.loads(reply.body) if reply.body else {}
        except (NoReplyError, OSError, ValueError) as error:
            _failures.labels(type(error).__name__).inc()
            raise SourceUnavailable(f"the collector does not answer: {error}") from error
        _failures.labels(str(reply.status)).inc()
        text = reply.body[:300].decode(errors="replace")
        raise SourceUnavailable(f"the collector says {reply.status}: {text}")


def _question(question: AnswerQuestion) -> dict[str, Any]:
    until = {} if question.until is None else {"until": question.until.timestamp()}
    named = {"namespace": question.ref.namespace, "model": question.ref.name, "version": question.version}
    return {**named, "since": question.since.timestamp(), **until}


def _summary(answer: Mapping[str, Any]) -> Summary:
    try:
        checks, newest = answer["checks"], answer.get("lastIngestAt")
        return Summary(
            arms={name: _arm(name, arm) for name, arm in answer["arms"].items()},
            last_ingest=datetime.fromisoformat(newest) if newest else None,
            findings=QualityCounts(**{field: checks.get(name, 0) for name, field in _FINDINGS.items()}),
            maturity={name: _maturity(of) for name, of in answer.get("maturity", {}).items()},
            unknown_metrics=tuple(str(name)[:63] for name in answer.get("unknownMetrics", ()))[:MOST_UNKNOWN],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"the collector's summary cannot be read: {type(error).__name__} {error}"
        ) from error


_FINDINGS = {
    "auditMismatches": "audit_mismatches",
    "crossoverUnits": "crossover_units",
    "botUnits": "bot_units",
    "duplicateExposures": "duplicate_exposures",
    "orphanOutcomes": "orphan_outcomes",
    "lateOutcomes": "late_outcomes",
}


def _arm(name: str, arm: Mapping[str, Any]) -> ArmSummary:
    moments = {metric: _moments(f"{name}, metric {metric}", cell) for metric, cell in arm["metrics"].items()}
    old = {
        mature(metric): _moments(f"{name}, metric {metric}", cell)
        for metric, cell in arm.get("mature", {}).items()
    }
    return ArmSummary(arm["units"], arm["exposures"], moments | old)


def _maturity(found: Mapping[str, Any]) -> Maturity:
    until = found["until"]
    return Maturity(found["lagSeconds"], found["learned"], datetime.fromisoformat(until) if until else None)


def _moments(whose: str, cell: Mapping[str, Any]) -> Moments:
    """Take the variance where the collector has it: plain sums cancel when the mean is large.

    Of zeros and ones, which equal their squares, the plain sums are exact.
    """
    n, total, squares = cell["n"], cell["sum"], cell["sumsq"]
    if total == squares and 0 <= total <= n:
        return validated(whose, Sums(n, total), binary=True)
    spread = cell["m2"] / max(n - 1, 1) if "m2" in cell else None
    return validated(whose, Sums(n, total, squares, spread), binary=False)
