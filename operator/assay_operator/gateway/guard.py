"""Which route a request takes, by the header that names its unit; one that is not one value is refused.

It would hash to a slot that nobody can recompute. Repeated headers are joined with a comma, as any proxy
before may have done; so a comma is refused too. A route's own matchers see each value alone and never all
of them, so a tree stands before the routes. (A filter, such as RBAC, costs every request more.)
"""

from assay_operator.gateway.values import TYPES, Json, typed

MESSAGE = "the header that names the unit must be sent once and hold one value without a comma"
# Envoy's regular expressions see bytes. The alternatives are ASCII without the comma, and the rows of table
# 3-7 of the Unicode standard. Bytes that are no UTF-8 are logged as other characters than were hashed, so
# nobody could recompute their slot; and all who send an empty header would share one.
ONE_VALUE = (
    r"([\x01-\x2B\x2D-\x7F]|[\xC2-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|[\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}"
    r"|\xED[\x80-\x9F][\x80-\xBF]|\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}|\xF4[\x80-\x8F][\x80-\xBF]{2})+"
)


def tree(header: str, units: Json, strangers: Json) -> Json:
    """Return the choice between the route of units, a refusal, and the route of everybody else."""
    joined = typed("unit", "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header)
    refusal = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 400, "body": {"inline_string": MESSAGE}},
    }
    branches = (
        ({"safe_regex": {"google_re2": {}, "regex": ONE_VALUE}}, units),
        ({"contains": ","}, refusal),
    )
    matchers = [
        {
            "predicate": {"single_predicate": {"input": joined, "value_match": value}},
            "on_match": _route(route),
        }
        for value, route in branches
    ]
    return {"matcher_list": {"matchers": matchers}, "on_no_match": _route(strangers)}


def _route(route: Json) -> Json:
    return {"action": {"name": "route", "typed_config": {"@type": f"{TYPES}config.route.v3.Route", **route}}}
