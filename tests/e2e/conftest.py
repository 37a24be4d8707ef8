"""One town for all end-to-end tests: brought up once, taken down at the end unless ASSAY_KEEP is set."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SUPPORT = Path(__file__).parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT.parents[2] / "hack"), str(SUPPORT.parents[2] / "hack/demo")]

from build import OUT, data, lake, lone, raise_cluster, trained  # noqa: E402  found by the line above
from churndemo import bento  # noqa: E402
from cluster import providers  # noqa: E402
from cluster.settings import Cluster  # noqa: E402
from demanding import demanding  # noqa: E402
from hostile import hostile  # noqa: E402
from people import Place  # noqa: E402
from town import SYSTEM, Town  # noqa: E402

FEW = {
    "numeric": ["account_length", "total_day_minutes", "number_customer_service_calls"],
    "categorical": ["international_plan", "voice_mail_plan"],
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a whole cluster."""
    for item in items:
        if SUPPORT.parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def town() -> Iterator[Town]:
    """A cluster with Assay, a lake with data and two trained versions."""
    cluster = Cluster(os.environ.get("ASSAY_E2E_CLUSTER", "assay-test"))
    raise_cluster(cluster)
    town = Town(cluster)
    plain, boosted = (
        trained("plain", "LogisticRegression", FEW),
        trained("boosted", "HistGradientBoosting", None),
    )
    town.sources = {
        name: {"artifact": {"uri": f"http://lake.lake/{name}", "digest": digest}}
        for name, (_, digest) in (("plain", plain), ("boosted", boosted))
    }
    town.sources["lone"] = lone("plain", plain[0])
    asks, digest = demanding(OUT)
    town.sources["demanding"] = {"artifact": {"uri": "http://lake.lake/demanding", "digest": digest}}
    bad = hostile(OUT)
    town.hostile = {name: one.reason for name, one in bad.items()}
    for name, one in bad.items():
        town.sources[name] = {"artifact": {"uri": f"http://lake.lake/{name}", "digest": one.digest}}
    operator = town.get("deployment", "assay-operator", SYSTEM)
    assert operator is not None
    env = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    trainer = next(e["value"] for e in env if e["name"] == "ASSAY_TRAINER_IMAGE")
    ours = {"plain": plain[0], "boosted": boosted[0], "demanding": asks}
    folders = ours | {name: one.folder for name, one in bad.items()}
    town.apply(*lake(folders, trainer))
    town.kubectl("rollout", "status", "-n", "lake", "deployment/lake", "--timeout=90s")
    town.sources["faulty"] = {"image": {"image": bento.bring(cluster)}}
    yield town
    town.read_operator_log()
    if not os.environ.get("ASSAY_KEEP"):
        providers.down(cluster, wipe=True)


@pytest.fixture
def place(town: Town, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace of the test's own, and its users."""
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    town.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Place(town, name, data() / "live.csv")
    town.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def load() -> ModuleType:
    """The traffic program."""
    return support("load")


def support(name: str) -> ModuleType:
    """Import a helper by its path: tests are no package."""
    spec = importlib.util.spec_from_file_location(f"e2e_{name}", SUPPORT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


Maker = Callable[..., dict[str, Any]]
