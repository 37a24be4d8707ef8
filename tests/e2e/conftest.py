"""One cluster for all end-to-end tests: brought up once, taken down at the end unless ASSAY_KEEP is set."""

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
from cluster_fixture import SYSTEM, ClusterFixture  # noqa: E402
from demanding import demanding  # noqa: E402
from hostile import hostile  # noqa: E402
from namespace_fixture import NamespaceFixture  # noqa: E402

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
def cluster() -> Iterator[ClusterFixture]:
    """A cluster with Assay, a lake with data and two trained versions."""
    settings = Cluster(os.environ.get("ASSAY_E2E_CLUSTER", "assay-test"))
    raise_cluster(settings)
    cluster = ClusterFixture(settings)
    plain, boosted = (
        trained("plain", "LogisticRegression", FEW),
        trained("boosted", "HistGradientBoosting", None),
    )
    cluster.sources = {
        name: {"artifact": {"uri": f"http://lake.lake/{name}", "digest": digest}}
        for name, (_, digest) in (("plain", plain), ("boosted", boosted))
    }
    cluster.sources["lone"] = lone("plain", plain[0])
    asks, digest = demanding(OUT)
    cluster.sources["demanding"] = {"artifact": {"uri": "http://lake.lake/demanding", "digest": digest}}
    bad = hostile(OUT)
    cluster.hostile = {name: one.reason for name, one in bad.items()}
    for name, one in bad.items():
        cluster.sources[name] = {"artifact": {"uri": f"http://lake.lake/{name}", "digest": one.digest}}
    operator = cluster.get("deployment", "assay-operator", SYSTEM)
    assert operator is not None
    env = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    trainer = next(e["value"] for e in env if e["name"] == "ASSAY_TRAINER_IMAGE")
    ours = {"plain": plain[0], "boosted": boosted[0], "demanding": asks}
    folders = ours | {name: one.folder for name, one in bad.items()}
    cluster.apply(*lake(folders, trainer))
    cluster.kubectl("rollout", "status", "-n", "lake", "deployment/lake", "--timeout=90s")
    cluster.sources["faulty"] = {"image": {"image": bento.bring(settings)}}
    yield cluster
    cluster.read_operator_log()
    if not os.environ.get("ASSAY_KEEP"):
        providers.down(settings, wipe=True)


@pytest.fixture
def ns(cluster: ClusterFixture, request: pytest.FixtureRequest) -> Iterator[NamespaceFixture]:
    """A namespace of the test's own, and its users."""
    name = f"t-{abs(hash(request.node.name)) % 10**8}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield NamespaceFixture(cluster, name, data() / "live.csv")
    cluster.kubectl("delete", "namespace", name, "--wait=false")


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
