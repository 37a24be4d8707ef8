"""`Outcomes` over the collector's HTTP API."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from prometheus_client import Counter

from assay_operator.decide.observed import QualityCounts
from assay_operator.telemetry import (
    AnswerQuestion,
    Answers,
    ArmSummary,
    Changes,
    SourceError,
    SourceUnavailable,
    Summary,
)
from assay_operator.telemetry.sums import Sums, validated
from assay_stats import Moments

_PATIENCE = httpx.Timeout(5, connect=1)
_NOT_FOUND = 404

_failures = Counter("assay_collector_failures", "Questions that the collector did not answer.", ["reason"])


@dataclass(frozen=True)
class Collector:
    """Asks the collector; the token is read anew for each question, as Secrets are rotated in place."""

    client: httpx.AsyncClient
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
        answer = await self._ask(
            "GET", "/v1/changes", params=query, timeout=httpx.Timeout(timeout + 5, connect=1)
        )
        return Changes(answer["revision"], tuple(answer["experiments"]))

    async def answer_sums(self, questions: Sequence[AnswerQuestion]) -> tuple[Answers, ...]:
        """See `Outcomes.answer_sums`."""
        answer = await self._ask("POST", "/v1/answers/sums", json=[_question(each) for each in questions])
        try:
            return tuple(Answers(each["seconds"], each["errors"], each["slow"]) for each in answer["sums"])
        except (KeyError, TypeError) as error:
            raise SourceUnavailable(f"the collector does not count answers: {error!r}") from error

    async def _ask(self, method: str, path: str, *, absent: bool = False, **more: Any) -> Any:
        try:
            head = {"authorization": f"Bearer {self.token()}"}
            answer = await self.client.request(method, path, headers=head, **more)
            if absent and answer.status_code == _NOT_FOUND:
                return None
            answer.raise_for_status()
            return answer.json() if answer.content else {}
        except httpx.HTTPStatusError as error:
            _failures.labels(str(error.response.status_code)).inc()
            raise SourceUnavailable(
                f"the collector says {error.response.status_code}: {error.response.text[:300]}"
            ) from error
        except (httpx.HTTPError, OSError, ValueError) as error:
            _failures.labels(type(error).__name__).inc()
            raise SourceUnavailable(
                f"the collector does not answer: {type(error).__name__} {error}".rstrip()
            ) from error


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
    return ArmSummary(arm["units"], arm["exposures"], moments)


def _moments(whose: str, cell: Mapping[str, Any]) -> Moments:
    """Take the variance where the collector has it: plain sums cancel when the mean is large.

    Of zeros and ones, which equal their squares, the plain sums are exact.
    """
    n, total, squares = cell["n"], cell["sum"], cell["sumsq"]
    if total == squares and 0 <= total <= n:
        return validated(whose, Sums(n, total), binary=True)
    spread = cell["m2"] / max(n - 1, 1) if "m2" in cell else None
    return validated(whose, Sums(n, total, squares, spread), binary=False)


@asynccontextmanager
async def collector(url: str, token: Callable[[], str]) -> AsyncIterator[Collector]:
    """Keep connections to the collector at `url`; `token` reads the operator's token."""
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE) as client:
        yield Collector(client, token)
