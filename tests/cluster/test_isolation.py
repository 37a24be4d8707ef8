"""Nobody's mistake is anybody else's outage: what happens in one namespace reaches no Model of another one.

The neighbour is a Model in the middle of an Experiment. After every act of hostility, and again after the
operator was killed and came back to find it all there: the gateway's routes of the neighbour have not changed
by a byte, its status is what it was, an edit of it and a new pod of it are handled in time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import hostility
import pytest
from ads_client import FollowingGateway
from api_objects import Body, Objects, namespace, until
from api_server import ApiServer
from children import answer, champion, model
from hostility import VERSION, VICTIM
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from neighbour import Neighbour
from operator_process import OperatorProcess
from specs import broken, loose
from specs import experiments as valid_experiments
from specs import models as valid_models

PATIENCE = 5.0
"""Seconds in which an edit or a new pod must be handled: passes take milliseconds, machines are busy."""
FACTOR = 5.0
"""... and how much longer than when nothing happens."""
STARTS = 60.0
KINDS = ("models", "experiments", "modelversions")
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EXAMPLES, OBJECTS = 8, 12


@pytest.fixture(scope="module")
def steady(
    api_server: ApiServer, gateway_and_operator: tuple[FollowingGateway, OperatorProcess]
) -> Iterator[Neighbour]:
    """The neighbour, in a namespace of its own."""
    with namespace(api_server.client, "steady") as found:
        neighbour = Neighbour(found, gateway_and_operator[0])
        neighbour.settle()
        yield neighbour


@pytest.fixture
def unharmed(steady: Neighbour, operated: OperatorProcess) -> Callable[[], None]:
    """Check the neighbour, whenever it is called, against how it was at the start of the test."""
    assert operated.is_alive()
    mark = steady.mark()

    def check() -> None:
        bound = max(PATIENCE, FACTOR * steady.usual)
        assert steady.edit(2 * bound) <= bound
        assert steady.move(2 * bound) <= bound
        assert steady.experiment() == steady.started
        assert steady.harm(mark) == []
        assert steady.gateway.route(steady.model).splitlines() == steady.route.splitlines()
        assert steady.is_ready()

    return check


@pytest.fixture
def start_anew(steady: Neighbour, operated: OperatorProcess) -> Callable[[], None]:
    """Kill the operator and start another one, which has to get ready amid whatever there is."""

    def start() -> None:
        operated.kill()
        operated.start()
        until(steady.is_ready, "the neighbour to be ready", STARTS)
        steady.edit(STARTS)

    return start


@pytest.fixture
def no_schema(api_server: ApiServer) -> Iterator[None]:
    """A release of the CRDs that takes everything: what other releases wrote, and what no rule thought of."""
    crds = api_server.client.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    names = [f"{plural}.assay.dev" for plural in KINDS]
    before = {name: crds.get(name=name).to_dict()["spec"]["versions"][0]["schema"] for name in names}

    def replace(name: str, schema: Body) -> None:
        change = [{"op": "replace", "path": "/spec/versions/0/schema", "value": schema}]
        crds.patch(name=name, body=change, content_type="application/json-patch+json")

    for name in names:
        replace(name, {"openAPIV3Schema": ANYTHING})
    with namespace(api_server.client, "probe") as probe:
        until(lambda: _takes_anything(probe), "the schema without rules")
    yield
    for name, schema in before.items():
        replace(name, schema)


def _takes_anything(objects: Objects) -> bool:
    """Whether objects without any sense are taken, each under another name."""
    kinds = ("Model", "Experiment", "ModelVersion")
    anything = [
        {"kind": kind, "metadata": {"generateName": "any-"}, "spec": {"sense": None}} for kind in kinds
    ]
    return all([hostility.tried(objects, body) for body in anything])


@pytest.mark.parametrize("act", hostility.CHILDREN, ids=lambda act: act.__name__)
def test_children_of_one_model_reach_no_other(
    objects: Objects, unharmed: Callable[[], None], act: Callable[[Objects], None]
) -> None:
    act(objects)
    unharmed()


def test_an_operator_starts_amid_all_such_children(
    make_namespace: Callable[[], Objects], unharmed: Callable[[], None], start_anew: Callable[[], None]
) -> None:
    for act in hostility.CHILDREN:
        act(make_namespace())
    start_anew()
    unharmed()


@pytest.mark.usefixtures("no_schema")
@pytest.mark.parametrize("title", hostility.UNREADABLE)
def test_what_cannot_be_read_or_planned_reaches_no_other(
    objects: Objects, unharmed: Callable[[], None], title: str
) -> None:
    hostility.unreadable(objects, title)
    unharmed()


@pytest.mark.usefixtures("no_schema")
def test_an_operator_starts_amid_all_that_cannot_be_read(
    make_namespace: Callable[[], Objects], unharmed: Callable[[], None], start_anew: Callable[[], None]
) -> None:
    for title in hostility.UNREADABLE:
        hostility.unreadable(make_namespace(), title)
    start_anew()
    unharmed()


@pytest.mark.usefixtures("no_schema")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"image": ["noisy:2"]}, id="unreadable"),
        pytest.param({"serving": {"timeout": "0s"}}, id="no-timeout"),
        pytest.param({"serving": {"timeout": hostility.LONG}}, id="absurd-timeout"),
        pytest.param({"rollout": {"experiment": {"decision": {"power": 0}}}}, id="no-power"),
    ],
)
def test_a_serving_model_keeps_its_route_when_an_edit_of_it_cannot_be_read(
    objects: Objects,
    gateway: FollowingGateway,
    unharmed: Callable[[], None],
    start_anew: Callable[[], None],
    change: Body,
) -> None:
    objects.create(model(hostility.IMAGE, VICTIM))
    answer(objects, VERSION, "10.3.0.1")
    name = f"{objects.namespace}/{VICTIM}"
    until(lambda: champion(objects, VICTIM) == VERSION and gateway.route(name), "a route")
    route = gateway.route(name)
    objects.patch("Model", VICTIM, {"spec": change})
    until(lambda: "InvalidSpec" in {c["reason"] for c in objects.conditions("Model", VICTIM)}, "InvalidSpec")
    unharmed()
    start_anew()
    unharmed()
    assert champion(objects, VICTIM) == VERSION
    assert gateway.route(name) == route
    objects.patch("Model", VICTIM, {"spec": dict.fromkeys(change) | hostility.IMAGE})
    until(
        lambda: "InvalidSpec" not in {c["reason"] for c in objects.conditions("Model", VICTIM)}, "a good end"
    )


@pytest.mark.parametrize("count", [40, 1000, 1001])
def test_alerts_of_one_model_reach_no_other(
    objects: Objects, operated: OperatorProcess, unharmed: Callable[[], None], count: int
) -> None:
    objects.create(model(hostility.IMAGE, VICTIM))
    until(lambda: objects.conditions("Model", VICTIM), "the Model to be known")
    status = hostility.alerts(operated, objects.namespace, count)
    assert status == 200 if count <= 1000 else status == 400
    objects.patch("Model", VICTIM, {"spec": {"image": {"image": "noisy:2"}}})
    until(lambda: _current(objects), "a pass with all these alerts")
    unharmed()


def _current(objects: Objects) -> bool:
    body = objects.get("Model", VICTIM) or {}
    return bool(body["status"]["observedGeneration"] == body["metadata"]["generation"])


def test_trainers_that_never_answer_delay_nobody(objects: Objects, unharmed: Callable[[], None]) -> None:
    with hostility.hanging_trainers(objects):
        for _ in range(3):
            unharmed()


def _mixed() -> st.SearchStrategy[list[Body]]:
    """Objects that are valid, that obey the schema only, or neither: whatever the API server takes counts."""
    kinds = st.sampled_from(("Model", "Experiment"))
    one = valid_models() | valid_experiments() | kinds.flatmap(loose) | kinds.flatmap(broken)
    return st.lists(one, min_size=OBJECTS, max_size=OBJECTS)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(bodies=_mixed())
def test_random_objects_reach_no_other(
    api_server: ApiServer, unharmed: Callable[[], None], bodies: list[Body]
) -> None:
    with namespace(api_server.client, "fuzz") as found:
        taken = [body["metadata"]["name"] for body in bodies if _taken(found, body)]
        note(f"the API server took {taken}")
        unharmed()


@settings(max_examples=1, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(_mixed(), min_size=4, max_size=4))
def test_an_operator_starts_amid_random_objects(
    api_server: ApiServer,
    unharmed: Callable[[], None],
    start_anew: Callable[[], None],
    bodies: list[list[Body]],
) -> None:
    with namespace(api_server.client, "fuzz") as found:
        for body in [body for some in bodies for body in some]:
            _taken(found, body)
        start_anew()
        unharmed()


def _taken(objects: Objects, body: Any) -> bool:
    """Whether the API server takes it; what no client can send does not count."""
    try:
        return hostility.tried(objects, body)
    except ValueError:
        return False
