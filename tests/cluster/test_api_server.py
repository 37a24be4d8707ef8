"""The API server without nodes is a real one, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from api_objects import ApiException, Objects, until
from cluster.daemon import start_time

HACK = Path(__file__).parents[2] / "hack"
PROGRAM = """
from cluster import control_plane
from cluster.daemon import Daemon
with control_plane.running() as cluster:
    print(*(d.pid() for d in control_plane.daemons(cluster)), cluster.state, flush=True)
    {then}
"""


def config_map(name: str, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    refs = [owner] if owner else []
    return {"kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": refs}}


def test_what_an_object_owns_goes_with_it(objects: Objects) -> None:
    owner = objects.create(config_map("owner"))["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    objects.create(config_map("owned", reference))
    objects.delete("ConfigMap", "owner")
    until(lambda: objects.get("ConfigMap", "owned") is None, "the end of what is owned")


def test_the_schemas_of_our_kinds_are_in_force(objects: Objects) -> None:
    model = {"kind": "Model", "metadata": {"name": "churn"}, "spec": {}}
    with pytest.raises(ApiException, match="exactly one of training, artifact or image"):
        objects.create(model)
    made = objects.create(model | {"spec": {"image": {"image": "churn:1"}}})
    assert made["metadata"]["generation"] == 1
    objects.patch("Model", "churn", {"status": {"champion": "churn-1"}}, "status")
    assert objects.get("Model", "churn")["status"]["champion"] == "churn-1"  # type: ignore[index]


def run_program(then: str, folder: Path) -> tuple[subprocess.Popen[str], list[int], Path]:
    program = PROGRAM.format(then=then)
    environment = {**os.environ, "PYTHONPATH": str(HACK), "TMPDIR": str(folder)}
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert running.stdout is not None
    *pids, state = running.stdout.readline().split()
    running.stdout.close()
    return running, [int(pid) for pid in pids], Path(state)


def gone(pids: list[int]) -> bool:
    return not any(start_time(pid) for pid in pids)


def test_its_end_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    program, pids, state = run_program("pass", tmp_path)
    assert program.wait(30) == 0
    assert len(pids) == 3
    assert gone(pids)
    assert not state.exists()


def test_it_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    program, pids, _ = run_program("import signal; signal.pause()", tmp_path)
    assert not gone(pids)
    program.send_signal(signal.SIGKILL)
    program.wait(10)
    until(lambda: gone(pids), "the end of the API server")
