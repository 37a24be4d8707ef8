"""Properties of the rendering that hold for every table, set of arms and number of endpoints."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_assign import SLOTS, Interval, arm_at, decode
from assay_operator.gateway import ArmRoute, Backend, Endpoint, ModelRoute, Split, resources, survivors

NAMES = ("control", "boosted", "third", "fourth")
BACKEND = Backend("churn-1", (Endpoint("10.0.0.2", 3000), Endpoint("10.0.0.1", 3000)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Interval, ...]:
    arms = NAMES[: draw(st.integers(1, len(NAMES)))]
    fence = sorted(draw(st.lists(st.integers(0, SLOTS), min_size=2 * len(arms), max_size=2 * len(arms))))
    return tuple(
        Interval(arm, *edges)
        for arm, edges in zip(arms, zip(fence[::2], fence[1::2], strict=True), strict=True)
    )


def route(intervals: tuple[Interval, ...], **extra: Any) -> ModelRoute:
    arms = tuple(ArmRoute(name, Backend(f"churn-{at}")) for at, name in enumerate(NAMES, 1))
    return ModelRoute("demo", "churn", BACKEND, Split("exp-1", 3, "x-user-id", arms, intervals), **extra)


def routes_of(model: ModelRoute) -> tuple[Any, Any]:
    """Return the routes of units and of strangers."""
    tree = resources(model).routes["virtual_hosts"][0]["matcher"]
    units, refusal = (m["on_match"]["action"]["typed_config"] for m in tree["matcher_list"]["matchers"])
    assert refusal["direct_response"]["status"] == 400
    return units, tree["on_no_match"]["action"]["typed_config"]


def split_route(model: ModelRoute) -> Any:
    return routes_of(model)[0]


def arm_of(entry: Any) -> str:
    (header,) = entry["request_headers_to_add"]
    assert header["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert entry["request_headers_to_add"] == entry["response_headers_to_add"]
    return str(header["header"]["value"])


@settings(deadline=None)
@given(tables())
def test_envoys_walk_through_the_weights_is_the_table(intervals: tuple[Interval, ...]) -> None:
    entries = split_route(route(intervals))["route"]["weighted_clusters"]["clusters"]
    walked = [arm_of(entry) for entry in entries for _ in range(entry["weight"])]
    assert walked == [arm_at(intervals, slot) or "unenrolled" for slot in range(SLOTS)]


@settings(deadline=None)
@given(tables())
def test_every_cluster_that_is_named_is_there_and_none_is_idle(intervals: tuple[Interval, ...]) -> None:
    rendered = resources(route(intervals))
    defined = {cluster["name"] for cluster in rendered.clusters}
    members = {
        member["name"]
        for cluster in rendered.clusters
        if "cluster_type" in cluster
        for member in cluster["cluster_type"]["typed_config"]["clusters"]
    }
    named = {e["name"] for e in split_route(route(intervals))["route"]["weighted_clusters"]["clusters"]}
    assert named | members <= defined
    assert {a["cluster_name"] for a in rendered.assignments} == {
        cluster["name"] for cluster in rendered.clusters if cluster.get("type") == "EDS"
    }


@settings(deadline=None)
@given(tables())
def test_every_cluster_of_the_tree_is_named_by_a_route_that_envoy_validates(
    intervals: tuple[Interval, ...],
) -> None:
    model = route(intervals)
    host = resources(model).routes["virtual_hosts"][1]
    (validated,) = host["routes"]
    named = {entry["name"] for entry in validated["route"]["weighted_clusters"]["clusters"]}
    units, strangers = routes_of(model)
    used = {entry["name"] for entry in units["route"]["weighted_clusters"]["clusters"]}
    assert used | {strangers["route"]["cluster"]} <= named
    assert resources(model).routes["validate_clusters"]
    assert [domain for domain in host["domains"] if "." in domain] == [], "nobody's host has one word"


@settings(deadline=None)
@given(tables())
def test_the_log_carries_the_table_that_was_in_force(intervals: tuple[Interval, ...]) -> None:
    facts = split_route(route(intervals))["metadata"]["filter_metadata"]["assay"]
    assert decode(facts.pop("table")) == intervals
    assert facts == {"namespace": "demo", "model": "churn", "experiment": "exp-1", "epoch": "3"}


@settings(deadline=None)
@given(st.permutations(BACKEND.endpoints))
def test_the_order_of_endpoints_is_no_change(endpoints: list[Endpoint]) -> None:
    a, b = (ModelRoute("demo", "churn", Backend("churn-1", tuple(e))) for e in (endpoints, BACKEND.endpoints))
    assert resources(a) == resources(b)


PODS = st.lists(
    st.builds(Endpoint, st.ip_addresses(v=4).map(str), st.integers(1, 65_535)), max_size=5, unique=True
)
SERVICES = st.none() | st.just(Endpoint("10.96.0.7", 80))


@settings(deadline=None)
@given(PODS, SERVICES)
def test_a_version_is_its_pods_and_then_its_service_and_nobody_elses(
    pods: list[Endpoint], service: Endpoint | None
) -> None:
    backend = Backend("churn-1", tuple(pods), service)
    (assignment,) = resources(ModelRoute("demo", "churn", backend)).assignments
    tiers = [[host["endpoint"] for host in tier["lb_endpoints"]] for tier in assignment["endpoints"]]
    assert [tier["priority"] for tier in assignment["endpoints"]] == list(range(len(tiers)))
    known = [[at(host["address"]) for host in tier] for tier in tiers]
    assert known == [tier for tier in (sorted(pods), [service] if service else []) if tier]
    for host in tiers[0] if pods else ():
        first = at(host["address"])
        instead = [at(each["address"]) for each in host.get("additional_addresses", ())]
        assert set(instead) <= {*pods, service} - {first}
        assert instead[:1] == [service] if service else len(instead) == (len(pods) > 1)
        assert len(instead) <= 3, "each is tried for a third of a second, and connections wait for one"


def at(address: Any) -> Endpoint:
    return Endpoint(address["socket_address"]["address"], address["socket_address"]["port_value"])


def test_survivors_are_the_clusters_that_they_were() -> None:
    rendered = resources(route(()))
    names = [assignment["cluster_name"] for assignment in rendered.assignments]
    assert {c["name"]: c for c in survivors(names)} == {c["name"]: c for c in rendered.clusters}


def test_a_survivor_without_a_champion_stands_alone() -> None:
    assert [c["name"] for c in survivors(["demo/churn/boosted@churn-2"])] == ["demo/churn/boosted@churn-2"]


@pytest.mark.parametrize(
    ("retry_executed", "forbidden"),
    [
        pytest.param(True, set(), id="it may run twice"),
        pytest.param(False, {"5xx", "reset", "gateway-error"}, id="it may not"),
    ],
)
def test_what_may_not_run_twice_is_only_sent_again_if_it_never_ran(
    *, retry_executed: bool, forbidden: set[str]
) -> None:
    for entry in routes_of(route((), retry_executed=retry_executed)):
        conditions = set(entry["route"]["retry_policy"]["retry_on"].split(","))
        assert {"connect-failure", "refused-stream", "reset-before-request"} <= conditions
        assert not conditions & forbidden


def test_a_scope_is_found_by_name_and_namespace_and_leads_to_the_routes() -> None:
    rendered = resources(route(()))
    assert rendered.scope["key"] == {"fragments": [{"string_key": "churn"}, {"string_key": "demo"}]}
    assert rendered.scope["route_configuration_name"] == rendered.routes["name"] == "demo/churn"
