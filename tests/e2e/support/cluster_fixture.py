"""A cluster with Assay in it, as the end-to-end tests see it: objects by kubectl, faults by signals.

Its own cluster (`assay-test`) by default, so that a run neither disturbs nor needs one that is up;
ASSAY_E2E_CLUSTER names another. What is read here is what a user could read.
"""

import base64
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "hack"), str(ROOT / "hack/demo")]

from cluster.daemon import Daemon  # noqa: E402  found by the line above
from cluster.settings import BIN, Cluster  # noqa: E402

SYSTEM = "assay-system"
LEADER = "assay-operator-leader"  # the Lease of the operator, and the Service that leads to its holder
_NETWORK = 0x40000000  # CLONE_NEWNET
_LIBC = ctypes.CDLL(None, use_errno=True)
Json = dict[str, Any]


class Impatient(AssertionError):  # noqa: N818  it reads as what happened
    """Something did not come true in time; the message says what was last seen."""


def wait(until: Callable[[], Any], patience: float = 60, *, state: Callable[[], object] = lambda: "") -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + patience
    while not (answer := until()):
        if time.monotonic() > end:
            raise Impatient(f"not in {patience:.0f} s; last state: {state()}")
        time.sleep(0.1)
    return answer


@dataclass
class ClusterFixture:
    """One cluster."""

    settings: Cluster
    forbidden: list[str] = field(default_factory=list)  # what the operator was refused, ever
    sources: dict[str, Json] = field(default_factory=dict)  # versions that need no training
    hostile: dict[str, str] = field(default_factory=dict)  # those that must be refused, and the reason
    killed: dict[str, tuple[str, int]] = field(
        default_factory=dict
    )  # what a component was when it was killed

    def kubectl(
        self, *words: str, given: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; its exit status is checked unless a refusal is what is wanted."""
        done = subprocess.run(
            [str(BIN / "kubectl") if (BIN / "kubectl").exists() else "kubectl", *words],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.settings.kubeconfig)},
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done

    def apply(self, *things: Mapping[str, Any]) -> None:
        """Apply objects as GitOps tools do, with strict validation."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=body)

    def refusal(self, thing: Mapping[str, Any]) -> str:
        """Return what the API server says to an object that it must refuse."""
        done = self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(thing), check=False)
        assert done.returncode, f"it was taken: {thing}"
        return done.stderr

    def get(self, kind: str, name: str, namespace: str) -> Json | None:
        """Return an object, or None."""
        done = self.kubectl("get", kind, name, "-n", namespace, "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def all(self, kind: str, namespace: str, label: str = "") -> list[Json]:
        """Return every object of a kind."""
        words = ["get", kind, "-n", namespace, "-o", "json", *(["-l", label] if label else [])]
        found: list[Json] = json.loads(self.kubectl(*words).stdout)["items"]
        return found

    def status(self, kind: str, name: str, namespace: str) -> Json:
        """Return the status of an object, empty if there is none yet."""
        found = self.get(kind, name, namespace)
        status: Json = (found or {}).get("status", {})
        return status

    def condition(self, kind: str, name: str, namespace: str, of: str) -> Json:
        """Return a condition, empty if there is none yet."""
        conditions = self.status(kind, name, namespace).get("conditions", [])
        return next((c for c in conditions if c["type"] == of), {})

    def until(
        self, kind: str, name: str, namespace: str, true: Callable[[Json], Any], patience: float = 60
    ) -> Json:
        """Wait until the status of an object is as wanted, and return it."""
        latest: list[Json] = [{}]

        def look() -> bool:
            latest[0] = self.status(kind, name, namespace)
            return bool(true(latest[0]))

        wait(look, patience, state=lambda: json.dumps(_short(latest[0]), indent=1)[-3000:])
        return latest[0]

    def events(self, name: str, namespace: str) -> list[tuple[str, str]]:
        """Return reason and message of the Events of an object of ours."""
        found = self.all("events", namespace)
        return [
            (e["reason"], e["message"])
            for e in found
            if e["involvedObject"]["name"] == name
            and e["involvedObject"].get("apiVersion", "").startswith("assay.dev")
        ]

    def expect_event(self, name: str, namespace: str, reason: str, words: str = "") -> None:
        """Wait until an Event of an object of ours says this; it comes after the status, or with it."""
        events = partial(self.events, name, namespace)
        wait(lambda: any(r == reason and words in m for r, m in events()), 30, state=events)

    def address(self, service: str, namespace: str) -> str:
        """Return the cluster address of a Service, or of the one that it is an alias of."""
        found = self.get("service", service, namespace)
        assert found is not None
        if alias := found["spec"].get("externalName"):
            return self.address(*alias.split(".")[:2])
        return str(found["spec"]["clusterIP"])

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread see the cluster's network while the block runs."""
        with open(self.settings.netns) as there, open("/proc/thread-self/ns/net") as here:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    @contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[int]:
        """Yield a port of this machine that `kubectl port-forward` brings to a Service of ours."""
        words = ["port-forward", "-n", SYSTEM, f"service/{service}", f":{port}"]
        environment = {**os.environ, "KUBECONFIG": str(self.settings.kubeconfig)}
        command = [str(BIN / "kubectl") if (BIN / "kubectl").exists() else "kubectl", *words]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            line = process.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 8080
            try:
                yield int(line.split(" -> ")[0].rpartition(":")[2])
            finally:
                process.terminate()

    def token(self, role: str) -> str:
        """Return a token of the installation."""
        found = self.get("secret", "assay-tokens", SYSTEM)
        assert found is not None
        return base64.b64decode(found["data"][role]).decode()

    def pod(self, component: str) -> Json:
        """Return a pod of a component of the installation that is not leaving; of the operator the leader."""

        def living() -> list[Json]:
            found = self.all("pods", SYSTEM, f"app.kubernetes.io/component={component}")
            return [p for p in found if not p["metadata"].get("deletionTimestamp")]

        pods: list[Json] = wait(living, 30, state=lambda: f"no pod of {component}")
        leader = self.leader() if component == "operator" else ""
        return next((pod for pod in pods if pod["metadata"]["name"] == leader), pods[0])

    def lease(self) -> Json:
        """Return the spec of the operator's Lease."""
        found = self.get("lease", LEADER, SYSTEM)
        assert found is not None
        spec: Json = found["spec"]
        return spec

    def leader(self) -> str:
        """Return the name of the operator's pod that the Lease names, be it dead; empty if it names none."""
        return str(self.lease().get("holderIdentity", "")).partition("_")[0]

    def kill(self, component: str, container: str) -> None:
        """Send SIGKILL to the processes of a container; the kubelet starts it again."""
        self.read_operator_log()
        pod = self.pod(component)
        statuses = [
            *pod["status"].get("containerStatuses", []),
            *pod["status"].get("initContainerStatuses", []),
        ]
        found = next(s for s in statuses if s["name"] == container)
        if "running" not in found["state"]:
            return
        before = self.restarts(component)
        self.killed[component] = (pod["metadata"]["uid"], before)
        identity = found["containerID"].rpartition("/")[2]
        kill(identity)
        if before:  # killed before: the kubelet would make it wait longer each time, so it gets a new pod
            force = ("--grace-period=0", "--force", "--wait=false")
            self.kubectl("delete", "pod", pod["metadata"]["name"], "-n", SYSTEM, *force)

    def kill_part(self, name: str) -> None:
        """Send SIGKILL to a process of the node itself, as `kubelet`; pods live on without it."""
        part = Daemon(name, self.settings.state)
        part.ask_to_stop(signal.SIGKILL)
        wait(part.is_gone, 10)

    def revive(self) -> None:
        """Start what is missing of the node, and wait until it is ready."""
        hack = {**os.environ, "PYTHONPATH": str(ROOT / "hack")}
        subprocess.run([sys.executable, "-m", "cluster", "up", self.settings.name], check=True, env=hack)

    def metrics(self, component: str, port: int) -> list[str]:
        """Return the lines of the metrics of a component of the installation."""
        url = f"http://{self.pod(component)['status']['podIP']}:{port}/metrics"
        with self.inside(), urllib.request.urlopen(url, timeout=10) as answer:
            page: str = answer.read().decode()
        return page.splitlines()

    def restarts(self, component: str) -> int:
        """Return how often the containers of a component were started again."""
        return sum(s["restartCount"] for s in self.pod(component)["status"].get("containerStatuses", []))

    def back(self, component: str, patience: float = 60) -> None:
        """Wait until the pods of a component are ready, and started anew if they were killed."""

        def ready() -> bool:
            pod = self.pod(component)
            if (pod["metadata"]["uid"], self.restarts(component)) == self.killed.get(component):
                return False
            conditions = self.pod(component)["status"].get("conditions", [])
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        wait(ready, patience)

    def read_operator_log(self) -> None:
        """Remember what the operator was refused, before its log is gone."""
        words = ("logs", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--tail=-1")
        log = self.kubectl(*words, check=False).stdout
        bad = [line for line in log.splitlines() if "orbidden" in line or " 403" in line]
        self.forbidden += [line for line in bad if "being terminated" not in line]


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NETWORK):
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def kill(container: str) -> None:
    """Send SIGKILL to every process of a container."""
    for pid in _processes(container):
        os.kill(pid, signal.SIGKILL)


def _processes(container: str) -> Iterable[int]:
    """Yield the processes of a container of this machine, by their control group."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container in (folder / "cgroup").read_text():
                yield int(folder.name)
        except OSError:
            continue


def _short(status: Json) -> Json:
    return {k: v for k, v in status.items() if k not in {"plan", "history"}}
