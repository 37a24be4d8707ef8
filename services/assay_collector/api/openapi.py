"""The API's description, made from the types that read it; good enough to generate clients from."""

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from assay_collector.parsing import answers, profiles, wire

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
PREFIX = "#/components/schemas/"

Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
UID: Schema = {"name": "uid", "in": "path", "required": True, "schema": {"type": "string"}}
PSEUDONYM: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
CHECKS = {
    "auditMismatches": "exposures whose arm is not the one that the unit's hash says; must stay 0",
    "crossoverUnits": "units that were seen in two arms: excluded from every sum",
    "botUnits": "units that asked more often than the installation allows: excluded from every sum",
    "duplicateExposures": "exposures that came again, and counted once",
    "orphanOutcomes": "outcomes that wait for the exposure of their unit, or have waited in vain",
    "lateOutcomes": "outcomes after their window, or after the end of the Experiment: never applied",
}


@cache
def openapi() -> Schema:
    """Return the OpenAPI 3.1 document."""
    inputs: list[type[BaseModel]] = [
        wire.Outcome, wire.Exposure, wire.Experiment, profiles.Profile, answers.AnswerCounts,
        answers.AnswerQuestion,
    ]  # fmt: skip
    _, defined = models_json_schema(
        [(each, "validation") for each in inputs], ref_template=PREFIX + "{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Assay collector",
            "version": "1",
            "description": "Exposures, outcomes, statistics.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**defined["$defs"], **_answers()},
            "securitySchemes": {
                role: _bearer(role) for role in ("operator", "gateway", "application", "predictor")
            },
        },
    }


def _paths() -> Schema:
    return {
        "/v1/experiments/{uid}": {
            "parameters": [UID],
            "put": _operation(
                "declareExperiment",
                "operator",
                "Declare an Experiment, or move its table",
                "Changed",
                _body("Experiment"),
            ),
        },
        "/v1/experiments/{uid}/summary": {
            "parameters": [UID],
            "get": _operation("getSummary", "operator", "Statistics of an Experiment", "Summary"),
        },
        "/v1/experiments/{uid}/units/{unit}": {
            "parameters": [UID, {"name": "unit", "in": "path", "required": True, "schema": PSEUDONYM}],
            "get": _operation("getUnit", "operator", "What is known of one unit, by its pseudonym", "Unit"),
        },
        "/v1/changes": {
            "parameters": [_query("since", 0), _query("timeout", 30)],
            "get": _operation(
                "waitForChanges", "operator", "Wait until an Experiment changed after `since`", "Changes"
            ),
        },
        "/v1/exposures": {
            "post": _operation(
                "reportExposures", "gateway", "Report exposures", "Counts", _body("Exposure", lines=True)
            ),
        },
        "/v1/outcomes": {
            "post": _operation(
                "reportOutcomes", "application", "Report outcomes", "Counts", _body("Outcome", lines=True)
            ),
        },
        "/v1/answers": {
            "post": _operation(
                "reportAnswers",
                "gateway",
                "Report counts of answers by version and second",
                "Counts",
                _body("AnswerCounts", lines=True),
            ),
        },
        "/v1/answers/sums": {
            "post": _operation(
                "sumAnswers",
                "operator",
                "Sums over seconds of the shares of bad answers, one for each question",
                "AnswerSums",
                {"required": True, "content": {JSON: {"schema": _list("AnswerQuestion")}}},
            ),
        },
        "/v1/profiles": {
            "post": _operation(
                "addProfile", "predictor", "Add counts of a version's rows", "Counts", _body("Profile")
            ),
        },
        "/v1/profiles/{namespace}/{model}/{version}": {
            "parameters": [
                *map(_named, ("namespace", "model", "version")),
                *map(_moment, ("since", "until")),
            ],
            "get": _operation(
                "getProfiles", "operator", "Counts of a version, between two moments", "Profiles"
            ),
        },
    }


def _operation(name: str, role: str, summary: str, answer: str, body: Schema | None = None) -> Schema:
    refused = {"description": "Refused; detail and errors say why", "content": {PROBLEM: _content("Problem")}}
    done = {"description": "Done; records are durable", "content": {JSON: _content(answer)}}
    operation = {
        "operationId": name,
        "summary": summary,
        "security": [{role: []}],
        "responses": {"200": done, "4XX": refused, "503": refused},
    }
    return operation | ({"requestBody": body} if body else {})


def _body(name: str, *, lines: bool = False) -> Schema:
    if not lines:
        return {"required": True, "content": {JSON: _content(name)}}
    several = {"oneOf": [_reference(name), _list(name)]}
    text = {"type": "string", "description": f"one {name} a line"}
    return {"required": True, "content": {JSON: {"schema": several}, NDJSON: {"schema": text}}}


def _content(name: str) -> Schema:
    return {"schema": _reference(name)}


def _query(name: str, default: int) -> Schema:
    return {"name": name, "in": "query", "schema": {"type": "number", "minimum": 0, "default": default}}


def _named(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _moment(name: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "schema": {"type": "number", "minimum": 0, "description": "Unix time"},
    }


def _bearer(role: str) -> Schema:
    return {"type": "http", "scheme": "bearer", "description": f"the token of role {role}"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _some(**properties: Schema) -> Schema:
    """Return an object whose properties may be missing."""
    return {"type": "object", "properties": properties}


def _map(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _reference(name: str) -> Schema:
    return {"$ref": PREFIX + name}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _reference(name)}


def _answers() -> Schema:
    """Return the answers, and what they are made of: each by a name, which a generated client keeps."""
    number: Schema = {"type": "number"}
    text: Schema = {"type": "string"}
    columns = _map({"type": "array", "items": COUNT})
    times = {"from": MOMENT, "until": MOMENT}
    checks = {name: COUNT | {"description": description} for name, description in CHECKS.items()}
    return {
        "AnswerSum": _object(seconds=COUNT, requests=COUNT, errors=number, slow=_map(number)),
        "AnswerSums": _object(sums=_list("AnswerSum")),
        "Arm": _object(
            units=COUNT,
            exposures=COUNT,
            metrics=_map(_reference("Sums")),
            mature=_map(_reference("Sums")),
        ),
        "Changed": _object(changed={"type": "boolean"}),
        "Changes": _object(revision=COUNT, experiments={"type": "array", "items": text}),
        "Checks": _object(**checks),
        "Counts": _some(
            accepted=COUNT,
            duplicates=COUNT,
            unknown=COUNT,
            orphans=COUNT,
            late=COUNT,
            unknownMetrics={"type": "array", "items": text},
        ),
        "Fault": _some(record=COUNT, field=text, message=text),
        "Maturity": _object(lagSeconds=number, learned={"type": "boolean"}, until=MOMENT),
        "Measured": _object(value=number, at=MOMENT),
        "Problem": _some(title=text, status=COUNT, detail=text, errors=_list("Fault")),
        "Profiles": _object(windowSeconds=number, profiles=_list("ProfileSums")),
        "ProfileSums": _object(profile=text, rows=COUNT, features=columns, predictions=columns, **times),
        "Summary": _object(
            revision=COUNT,
            epoch=COUNT,
            closed={"type": "boolean"},
            startedAt=MOMENT,
            lastExposureAt=MOMENT,
            lastIngestAt=MOMENT,
            arms=_map(_reference("Arm")),
            maturity=_map(_reference("Maturity")),
            checks=_reference("Checks"),
            unknownMetrics={"type": "array", "items": text},
        ),
        "Sums": _object(n=COUNT, sum=number, sumsq=number, m2=number),
        "Unit": _object(
            unit=PSEUDONYM,
            arm=text,
            firstExposureAt=MOMENT,
            epoch=COUNT,
            exposures=COUNT,
            excluded={"enum": [None, "crossover", "bot"]},
            metrics=_map(_reference("Measured")),
        ),
    }
