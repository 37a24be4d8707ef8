"""Image files that clusters share: linked where nothing writes, copied where containerd does."""

from pathlib import Path

import pytest
from cluster import template
from cluster.settings import Cluster


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpacked = Cluster("template", tmp_path / "images")
    monkeypatch.setattr(template, "TEMPLATE", unpacked)
    monkeypatch.setattr(template, "LOCK", tmp_path / "lock")
    root = unpacked.state / "containerd"
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / "layer").write_bytes(b"never changes")
    (root / "meta.db").write_bytes(b"changes all the time")
    return root


def _cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster("one", tmp_path)
    cluster.state.mkdir(parents=True)
    return cluster


def test_a_new_cluster_links_layers_and_copies_databases(shared: Path, tmp_path: Path) -> None:
    (shared.parent / "done").write_text("key")
    cluster = _cluster(tmp_path)
    template.plant(cluster)
    own = cluster.state / "containerd"
    assert (own / "blobs/layer").samefile(shared / "blobs/layer")
    assert not (own / "meta.db").samefile(shared / "meta.db")
    (own / "meta.db").write_bytes(b"mine")
    assert (shared / "meta.db").read_bytes() == b"changes all the time"


def test_a_template_that_is_not_finished_is_not_used(shared: Path, tmp_path: Path) -> None:
    cluster = _cluster(tmp_path)
    template.plant(cluster)
    assert shared.exists()
    assert template.helps(cluster)


def test_a_cluster_that_has_images_keeps_them(shared: Path, tmp_path: Path) -> None:
    (shared.parent / "done").write_text("key")
    cluster = _cluster(tmp_path)
    (cluster.state / "containerd").mkdir()
    template.plant(cluster)
    assert not list((cluster.state / "containerd").iterdir())


def test_what_is_unpacked_under_this_key_is_not_unpacked_again(shared: Path) -> None:
    (shared.parent / "done").write_text("key")
    template.make("key", {})
    assert (shared / "blobs/layer").exists()
