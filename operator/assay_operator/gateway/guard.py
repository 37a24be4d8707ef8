"""Refuses a request whose unit is not one value: it would hash to a slot that nobody can recompute.

Envoy joins repeated headers with a comma, as any proxy before it may have done; so a comma is refused too.
"""

from assay_operator.gateway.values import TYPES, Json, typed

FILTER = "envoy.filters.http.rbac"
MESSAGE = "the header that names the unit must be sent once and hold one value without a comma"
_RBAC = "extensions.filters.http.rbac.v3.RBAC"


def guard() -> Json:
    """Return the filter; it lets everything pass where no route says otherwise."""
    return typed(FILTER, _RBAC)


def one_value(header: str) -> Json:
    """Return a route's rule for the filter: deny if the header's values, joined, hold a comma."""
    joined = typed("unit", "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header)
    matcher = {
        "predicate": {"single_predicate": {"input": joined, "value_match": {"contains": ","}}},
        "on_match": _action("DENY"),
    }
    rule = {"matcher_list": {"matchers": [matcher]}, "on_no_match": _action("ALLOW")}
    return {"@type": f"{TYPES}{_RBAC}PerRoute", "rbac": {"matcher": rule}}


def _action(action: str) -> Json:
    return {"action": typed("unit", "config.rbac.v3.Action", name="unit", action=action)}
