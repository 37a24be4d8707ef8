"""A `MetricSource` over Prometheus' HTTP API: instant queries, one series for each arm."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from string import Template
from typing import Any

from assay_operator.telemetry import Question, SourceUnavailable
from assay_operator.telemetry.http import Http, NoReplyError, Reply, TooLongError
from assay_operator.telemetry.sums import Sums, moments

TIMEOUT = 10.0  # seconds
LONGEST = 4 << 20  # bytes of an answer
ARM = "arm"


@dataclass(frozen=True)
class Prometheus:
    """Asks the server that the administrator has named; without one every answer says so."""

    http: Http
    url: str
    seconds: float = TIMEOUT

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Any]:
        """See `MetricSource.ask`."""
        if not self.url:
            raise SourceUnavailable(
                "no Prometheus is configured; the chart's sources.prometheus.url names it"
            )
        query = question.metric.prometheus
        assert query is not None
        texts = {"count": query.count, "sum": query.sum, "sumOfSquares": query.sum_of_squares}
        queries = {name: _filled(text, question, now) for name, text in texts.items() if text}
        answers = await asyncio.gather(*(self._vector(text, now) for text in queries.values()))
        vectors = dict(zip(queries, answers, strict=True))
        units = {arm for arm in question.arms if vectors["count"].get(arm)}
        absent = {
            arm: f"{name} has no number of arm {arm}, which has units; if that means 0, add `or 0 * (COUNT)`"
            for name, vector in vectors.items()
            for arm in sorted(units - vector.keys())
        }
        rows = {
            arm: _sums({name: vector.get(arm, 0.0) for name, vector in vectors.items()}, query.shift)
            for arm in vectors["count"]
            if arm not in absent
        }
        return moments(rows, question, absent)

    async def _vector(self, text: str, now: datetime) -> dict[str, float]:
        """Return the value of each arm; those that are not a number are left out."""
        body = {"query": text, "time": f"{now.timestamp():.3f}", "timeout": f"{self.seconds:g}s"}
        try:
            reply = await self.http.request(
                "POST", f"{self.url}/api/v1/query", seconds=self.seconds, longest=LONGEST, data=body
            )
        except TooLongError as error:
            raise SourceUnavailable(
                f"Prometheus answers with more than {LONGEST >> 20} MiB; aggregate by ({ARM})"
            ) from error
        except NoReplyError as error:
            raise SourceUnavailable(f"Prometheus does not answer: {error}") from error
        return _series(_data(reply), text)


def _sums(values: Mapping[str, float], shift: float) -> Sums:
    return Sums(values["count"], values["sum"], values.get("sumOfSquares"), shift=shift)


def _data(reply: Reply) -> Any:
    try:
        answer = json.loads(reply.body)
        if reply.success and answer["status"] == "success":
            if warnings := answer.get("warnings"):  # as of a part of the stores that did not answer
                raise SourceUnavailable(f"Prometheus warns: {'; '.join(map(str, warnings))[:300]}")
            return answer["data"]
        raise SourceUnavailable(f"Prometheus says {reply.status}: {str(answer.get('error', ''))[:300]}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnavailable(f"Prometheus says {reply.status}, and nothing that it should") from error


def _series(data: Any, text: str) -> dict[str, float]:
    if data.get("resultType") != "vector":
        raise SourceUnavailable(f"{text[:120]!r} is a {data.get('resultType')}; an instant vector is needed")
    found: dict[str, float] = {}
    for series in data["result"]:
        arm = series["metric"].get(ARM)
        if arm is None:
            raise SourceUnavailable(f"{text[:120]!r}: a series has no label {ARM}; aggregate by ({ARM})")
        if arm in found:
            raise SourceUnavailable(f"{text[:120]!r}: arm {arm} has two series; aggregate by ({ARM})")
        if isfinite(value := float(series["value"][1])):
            found[arm] = value
    return found


def _filled(text: str, question: Question, now: datetime) -> str:
    """Replace the words that we know; a `$` of a regular expression stays."""
    elapsed = max(round((now - question.started_at).total_seconds()), 1)
    return Template(text).safe_substitute(
        uid=question.uid,
        experiment=question.experiment,
        namespace=question.ref.namespace,
        model=question.ref.name,
        elapsed=f"{elapsed}s",
    )
