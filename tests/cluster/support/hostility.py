"""What a tenant can do to an operator with the rights of an editor of one namespace, and some more."""

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from api_objects import ApiException, Body, Objects, until
from children import ROLLOUT, TEMPLATE, TRAINED, model
from operator_process import OperatorProcess

from assay_api.names import trainer_name, version_name
from assay_operator.manifests.job import PROGRESS_PORT

VICTIM = "noisy"
VERSION = version_name(VICTIM, 1)
LABELS = {"assay.dev/model": VICTIM, "assay.dev/version": VERSION}
IMAGE: Body = {"image": {"image": "noisy:1"}}
LONG = "9999999999999d"
DEEP = "[" * 4000 + "]" * 4000
HANGING = "127.0.9."
BIG = 100_000


def tried(objects: Objects, body: Body) -> bool:
    """Create the object; whether the API server took it."""
    try:
        objects.create(body)
    except ApiException as error:
        if error.status >= 500:
            raise
        return False
    return True


def status(objects: Objects, kind: str, name: str, value: Any) -> None:
    """Write a status by hand, if the API server takes it."""
    with contextlib.suppress(ApiException):
        objects.patch(kind, name, {"status": value}, "status")


# Children


def slices(objects: Objects) -> None:
    """EndpointSlices of the Model without ports, without addresses for a gateway, and huge ones."""
    objects.create(model(IMAGE, VICTIM))
    many = [{"addresses": [f"10.9.{i // 250}.{i % 250 + 1}"], "conditions": {}} for i in range(1000)]
    cases: tuple[Body, ...] = (
        {"addressType": "IPv4", "endpoints": many[:1]},
        {"addressType": "IPv4", "endpoints": many[:1], "ports": []},
        {"addressType": "IPv4", "endpoints": many[:1], "ports": [{"name": "no-number"}]},
        {"addressType": "IPv4", "endpoints": many, "ports": [{"name": "http", "port": 3000}]},
        {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}], "ports": [{"port": 3000}]},
        {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example"]}], "ports": [{"port": 3000}]},
    )
    for index, case in enumerate(cases):
        metadata = {"name": f"odd-{index}", "labels": LABELS}
        assert tried(objects, {"kind": "EndpointSlice", "metadata": metadata, **case})


def _pod(name: str, role: str, last_words: Any = None, **status_parts: Any) -> tuple[Body, Body]:
    body = {
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS | {"assay.dev/role": role}},
        "spec": {"containers": [{"name": role, "image": "noisy:1"}]},
    }
    ended = {"exitCode": 1, "message": last_words, "reason": "Error"}
    state = {"name": role, "image": "", "imageID": "", "ready": False, "restartCount": 1}
    states = [state | {"state": {"terminated": ended}}] if last_words is not None else []
    return body, {"phase": "Running", "containerStatuses": states, **status_parts}


def last_words(objects: Objects) -> None:
    """Pods of the Model whose termination messages are no report at all."""
    objects.create(model(TRAINED, VICTIM))
    report = {
        "ok": True,
        "artifact": {"uri": "x" * 5000, "digest": "no digest"},
        "gates": [{"metric": 7}] * 500,
    }
    words = (
        "", "{", "null", "7", "[]", DEEP, "\x1b[31m", '{"reason": {"a": 1}}', '{"ok": 1e999}',
        '{"reason": "' + "x" * BIG + '", "message": "' + "y" * BIG + '"}', '{"trials": {"Complete": -5}}',
        '{"gates": "all"}', json.dumps(report), '{"ok": true, "metrics": {"test": {"a": NaN}}}', "😀" * 5000,
    )  # fmt: skip
    for index, text in enumerate(words):
        for role in ("trainer", "predictor"):
            body, status_ = _pod(f"{role}-{index}", role, text)
            assert tried(objects, body)
            status(objects, "Pod", body["metadata"]["name"], status_)


def annotations(objects: Objects) -> None:
    """Pods with as many annotations and labels as fit, on everything that the operator watches."""
    objects.create(model(IMAGE, VICTIM))
    body, status_ = _pod("annotated", "predictor", "x")
    body["metadata"]["annotations"] = {f"a.example/{i}": "x" * 1000 for i in range(200)}
    assert tried(objects, body)
    status(objects, "Pod", "annotated", status_ | {"podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}]})


def strays(objects: Objects) -> None:
    """Objects that say they belong to a Model without a name, and pods that call themselves gateways."""
    metadata = {"name": "nameless", "labels": {"assay.dev/model": "", "assay.dev/version": ""}}
    nobodys: tuple[Body, ...] = (
        {"kind": "Service", "spec": {"ports": [{"port": 80}]}},
        {"kind": "EndpointSlice", "addressType": "IPv4", "endpoints": []},
    )
    for body in nobodys:
        assert tried(objects, body | {"metadata": metadata})
    for index in range(5):
        body, _ = _pod(f"gateway-{index}", "gateway")
        body["metadata"]["labels"].pop("assay.dev/model")
        assert tried(objects, body)
        ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": f"10.9.8.{index + 1}"}
        status(objects, "Pod", f"gateway-{index}", {"phase": "Running", **ready})


def jobs(objects: Objects) -> None:
    """A training Job of the Model that somebody else writes the end of."""
    objects.create(model(TRAINED, VICTIM))
    name = trainer_name(VERSION)
    until(lambda: objects.get("Job", name), f"the Job {name}")
    for condition in ({"type": "Failed", "status": "True"}, {"type": "Complete", "status": "True"}):
        status(objects, "Job", name, {"conditions": [condition], "startTime": "2026-01-01T00:00:00Z"})


def quota(objects: Objects) -> None:
    """A namespace in which nothing may be made, for a Model that needs everything."""
    hard = {
        "count/services": "0",
        "count/deployments.apps": "0",
        "persistentvolumeclaims": "0",
        "secrets": "0",
    }
    quotas = {"kind": "ResourceQuota", "metadata": {"name": "nothing"}, "spec": {"hard": hard}}
    assert tried(objects, quotas)
    status(objects, "ResourceQuota", "nothing", {"hard": hard, "used": dict.fromkeys(hard, "0")})
    for index in range(20):
        objects.create(model(IMAGE, f"{VICTIM}-{index}"))


def unplaceable(objects: Objects) -> None:
    """Models whose children the API server refuses, for reasons that no schema of ours knows."""
    small = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
    long = {"image": {"image": "noisy:1", "readinessPath": "/" + "x" * 255}}
    specs = (
        IMAGE | {"serving": {"resources": small}},
        IMAGE | {"serving": {"serviceAccountName": "nobody"}},
        IMAGE | {"serving": {"secretRef": {"name": "missing"}}},
        {"image": {"image": " not an image:::"}},
        long,
    )
    for index, spec in enumerate(specs):
        tried(objects, model(spec, f"{VICTIM}-{index}"))


def edits(objects: Objects) -> None:
    """A Model that is edited all the time."""
    objects.create(model(IMAGE, VICTIM))
    for index in range(100):
        objects.patch("Model", VICTIM, {"spec": {"image": {"image": f"noisy:{index}"}}})


def _experiment(name: str, **annotations: str) -> Body:
    arms = [{"name": "control", "version": VERSION, "weight": 50}]
    arms.append({"name": "other", "version": f"{VICTIM}-2", "weight": 50})
    spec = {"modelRef": {"name": VICTIM}, "arms": arms, **TEMPLATE}
    return {"kind": "Experiment", "metadata": {"name": name, "annotations": annotations}, "spec": spec}


def abort(objects: Objects) -> None:
    """Annotations of 100 kB on Experiments."""
    objects.create(model(IMAGE, VICTIM))
    for name, key in (("aborted", "abort"), ("approved", "approve")):
        assert tried(objects, _experiment(name, **{f"assay.dev/{key}": "x" * BIG}))
    objects.patch("Model", VICTIM, {"metadata": {"annotations": {"assay.dev/retrain": "y" * BIG}}})


def crowd(objects: Objects) -> None:
    """Many Experiments of a Model that is not there, and of one that is."""
    objects.create(model(IMAGE, VICTIM))
    for index in range(60):
        body = _experiment(f"e-{index}")
        body["spec"]["modelRef"]["name"] = VICTIM if index % 2 else "nobody"
        assert tried(objects, body)


def ending(objects: Objects) -> None:
    """A namespace that is deleted while Models are made in it."""
    for index in range(10):
        objects.create(model(IMAGE, f"{VICTIM}-{index}"))
    objects.api.resources.get(api_version="v1", kind="Namespace").delete(name=objects.namespace)


CHILDREN: tuple[Callable[[Objects], None], ...] = (
    slices, last_words, annotations, strays, jobs, quota, unplaceable, edits, abort, crowd, ending,
)  # fmt: skip


# What the schema takes and the types refuse, or what no plan is made for: with a schema that takes everything


def _image(**parts: Any) -> Body:
    return IMAGE | parts


_RUNNING = {
    "startedAt": "2026-01-01T00:00:00Z",
    "stepStartedAt": "2026-01-01T00:00:00Z",
    "phase": "Running",
    "step": 99,
    "table": [{"arm": "control", "from": 9000, "to": 10}, {"arm": "nobody", "from": -5, "to": 99999}],
    "epoch": -1,
}
# the API server reads spec.serving.replicas itself, for the scale subresource: that much stays in order
UNREADABLE_MODELS: dict[str, tuple[Any, Any]] = {
    "no spec": (None, None),
    "no source": ({}, None),
    "two sources": (_image(artifact={"uri": "s3://a", "digest": "none"}), None),
    "image is a list": ({"image": ["noisy:1"]}, None),
    "unknown fields": (_image(newField={"deep": [1]}, serving={"newer": True}), None),
    "no timeout": (_image(serving={"timeout": "0s"}), None),
    "an absurd timeout": (_image(serving={"timeout": LONG}), None),
    "a timeout of no unit": (_image(serving={"timeout": "soon"}), None),
    "an absurd window": (_image(rollout={"rollbackWindow": LONG}), None),
    "no power": (_image(rollout=ROLLOUT | {"experiment": TEMPLATE | {"decision": {"power": 0}}}), None),
    "champion is a number": (IMAGE, {"champion": 7, "observedGeneration": "first"}),
    "champion is not there": (IMAGE, {"champion": f"{VICTIM}-77", "latest": 2**53}),
    "conditions of another release": (IMAGE, {"conditions": [{"type": "Ready"}, "Ready", None]}),
    "history of another release": (IMAGE, {"history": [{"version": VERSION, "since": "yesterday"}]}),
    "history without end": (
        IMAGE,
        {"history": [{"version": VERSION, "since": "9999-12-31T23:59:59Z"}] * 500},
    ),
    "alerts of another release": (IMAGE, {"alerts": [{"name": "drift"}] * 40}),
}
UNREADABLE_EXPERIMENTS: dict[str, tuple[Any, Any]] = {
    "an Experiment without spec": (None, None),
    "an Experiment of nobody": ({"modelRef": None, "arms": []}, None),
    "an Experiment whose status is made up": (_experiment("x")["spec"], _RUNNING),
    "an Experiment with one arm": ({**_experiment("x")["spec"], "arms": [{"name": "a"}]}, _RUNNING),
    "an Experiment with a verdict of another release": (
        _experiment("x")["spec"],
        {"decision": "yes", "slots": 5},
    ),
    "an Experiment with an absurd ramp": (
        {**_experiment("x")["spec"], "ramp": [{"percent": 1e308, "minDuration": LONG}]},
        _RUNNING,
    ),
}


UNREADABLE = {title: ("Model", *parts) for title, parts in UNREADABLE_MODELS.items()}
UNREADABLE |= {title: ("Experiment", *parts) for title, parts in UNREADABLE_EXPERIMENTS.items()}
"""Title -> kind, spec and status."""


def unreadable(objects: Objects, title: str) -> None:
    """Create that object, which no type of ours reads."""
    kind, spec, written = UNREADABLE[title]
    if kind == "Experiment":
        objects.create(model(IMAGE, VICTIM))
    body: Body = {"kind": kind, "metadata": {"name": VICTIM}, "spec": spec}
    if spec is None:
        del body["spec"]
    objects.create(body)
    if written is not None:
        objects.patch(kind, VICTIM, {"status": written}, "status")


# From outside of Kubernetes


def alerts(process: OperatorProcess, namespace: str, count: int) -> int:
    """Let Alertmanager send that many alerts on the Model; return the HTTP status."""
    labels = {"namespace": namespace, "model": VICTIM}
    found = [
        {
            "status": "firing",
            "labels": labels | {"alertname": f"drift-{i}" * 30, "arm": "a," * 50},
            "startsAt": "2026-01-01T00:00:00Z",
            "fingerprint": f"f{i:04}",
        }
        for i in range(count)
    ]
    token = (process.log.parent / "tokens/webhook").read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{process.port}/v1/alerts",
        json.dumps({"alerts": found}).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@contextlib.contextmanager
def hanging_trainers(objects: Objects, count: int = 8) -> Iterator[None]:
    """Training Models whose pods take a connection and never answer, for a `with` block."""
    with contextlib.ExitStack() as stack:
        for index in range(count):
            address = f"{HANGING}{index + 1}"
            stack.enter_context(socket.create_server((address, PROGRESS_PORT)))
            _hang(objects, f"{VICTIM}-{index}", address)
        yield


def _hang(objects: Objects, name: str, address: str) -> None:
    objects.create(model(TRAINED, name))
    version = version_name(name, 1)
    until(lambda: objects.get("Job", trainer_name(version)), f"the Job of {version}")
    ready = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
    }
    body, status_ = _pod(f"{trainer_name(version)}-0-x", "trainer", None, **ready)
    body["metadata"]["labels"] |= {"assay.dev/model": name, "assay.dev/version": version}
    assert tried(objects, body)
    objects.patch("Pod", body["metadata"]["name"], {"status": status_}, "status")
