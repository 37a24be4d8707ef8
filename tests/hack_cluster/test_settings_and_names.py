"""Names of clusters, ports, keys: the pure parts of hack/cluster."""

import json
import os
import socket
from pathlib import Path

import pytest
from cluster import components, config, gobuild, pki, ports, providers
from cluster.settings import Cluster
from cluster.shell import Refusal


@pytest.mark.parametrize("name", ["assay", "assay-test", "a1"])
def test_a_plain_name_names_state_and_network(name: str, tmp_path: Path) -> None:
    cluster = Cluster(name, tmp_path)
    assert cluster.state == tmp_path / "clusters" / name
    assert cluster.netns == Path("/run/netns") / name


@pytest.mark.parametrize("name", ["", "Assay", "a/b", "../x", "1a", "-a", "a" * 31, "a b"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cluster name"):
        Cluster(name)


def test_two_clusters_share_no_path(tmp_path: Path) -> None:
    one, two = Cluster("one", tmp_path), Cluster("two", tmp_path)
    for render in (config.containerd, config.cni, config.coredns, lambda c: config.kubelet(c, f"/{c.name}")):
        assert str(two.state) not in render(one)
        assert str(one.state) in render(one)
    assert one.containerd_socket != two.containerd_socket


def test_the_socket_path_of_a_long_name_still_fits_a_unix_address() -> None:
    assert len(str(Cluster("a" * 30, Path("/home/somebody/.cache/assay")).containerd_socket)) < 108


def test_the_kubelet_keeps_pods_under_the_clusters_own_cgroup(tmp_path: Path) -> None:
    written = json.loads(config.kubelet(Cluster("one", tmp_path), "/one"))
    assert written["cgroupRoot"] == "/one"
    assert written["podLogsDir"].startswith(str(tmp_path))


def test_the_default_storage_class_waits_for_the_first_pod() -> None:
    written = json.loads(config.storage_class())
    assert written["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert written["volumeBindingMode"] == "WaitForFirstConsumer"


def test_the_reported_version_is_the_one_that_go_mod_pins() -> None:
    version = gobuild.kubernetes_version()
    major, minor = version.removeprefix("v").split(".")[:2]
    flags = " ".join(gobuild.kube_flags(version))
    assert f"gitVersion={version} " in flags
    assert f"gitMajor={major} " in flags
    assert f"gitMinor={minor} " in flags


def _sources(folder: Path) -> Path:
    folder.mkdir()
    (folder / "main.go").write_text("package main")
    (folder / "go.mod").write_text("module x")
    return folder


def test_the_binarys_key_follows_sources_and_flags_and_nothing_else(tmp_path: Path) -> None:
    folder = _sources(tmp_path / "a")
    key = gobuild.key(folder, ("-x",))
    (folder / "README.txt").write_text("not compiled")
    assert gobuild.key(folder, ("-x",)) == key == gobuild.key(_sources(tmp_path / "b"), ("-x",))
    assert gobuild.key(folder, ("-y",)) != key
    (folder / "main.go").write_text("package other")
    assert gobuild.key(folder, ("-x",)) != key


def test_bytes_that_move_from_one_file_to_the_next_change_the_key(tmp_path: Path) -> None:
    one, two = _sources(tmp_path / "a"), _sources(tmp_path / "b")
    (one / "main.go").write_text("ab")
    (one / "other.go").write_text("c")
    (two / "main.go").write_text("a")
    (two / "other.go").write_text("bc")
    assert gobuild.key(one, ()) != gobuild.key(two, ())


def test_a_port_is_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    kept = tmp_path / "port"
    first = ports.choose(kept, in_use=False)
    assert ports.choose(kept, in_use=False) == first


def test_a_kept_port_that_someone_else_took_is_given_up(tmp_path: Path) -> None:
    kept = tmp_path / "port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        kept.write_text(str(taken.getsockname()[1]))
        assert ports.choose(kept, in_use=False) != taken.getsockname()[1]


def test_the_port_that_our_own_forwarder_holds_stays(tmp_path: Path) -> None:
    kept = tmp_path / "port"
    with socket.create_server(("127.0.0.1", 0)) as ours:
        kept.write_text(str(ours.getsockname()[1]))
        assert ports.choose(kept, in_use=True) == ours.getsockname()[1]


def test_a_wanted_port_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("ASSAY_PORT", str(taken.getsockname()[1]))
        with pytest.raises(Refusal, match="ASSAY_PORT"):
            ports.choose(tmp_path / "port", in_use=False)


def test_what_no_one_outside_talks_to_never_takes_the_wanted_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_PORT", str(ports.free()))
    assert ports.keep(tmp_path / "etcd.port", in_use=False) != int(os.environ["ASSAY_PORT"])


def test_an_api_server_without_nodes_stays_on_loopback(tmp_path: Path) -> None:
    lines = components.control_plane(Cluster("one", tmp_path), Path("kube"), components.Ports(1, 2, 3))
    words = [str(word) for line in lines.values() for word in line]
    addresses = {word.removeprefix("http://").partition(":")[0] for word in words if word.startswith("http:")}
    assert addresses == {"127.0.0.1"}
    assert words[words.index("--bind-address") + 1] == "127.0.0.1"
    assert not [word for word in words if word.startswith("nsenter")]


def test_a_whole_cluster_is_not_taken_for_an_api_server_without_nodes(tmp_path: Path) -> None:
    cluster = Cluster("one", tmp_path)
    cluster.state.mkdir(parents=True)
    cluster.provider_file.write_text("node")
    with pytest.raises(Refusal, match="one is up by node"):
        providers.api_up(cluster)


def test_the_api_servers_certificate_is_good_for_loopback_and_for_pods() -> None:
    names = next(i.names for i in pki.IDENTITIES if i.name == "apiserver")
    assert {"IP:127.0.0.1", "IP:10.201.0.1", "DNS:kubernetes.default.svc"} <= set(names.split(","))


def test_a_cluster_that_is_up_is_not_taken_over_by_another_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster("one", tmp_path)
    cluster.state.mkdir(parents=True)
    cluster.provider_file.write_text("node")
    assert providers.choose(cluster) == "node"
    monkeypatch.setenv("ASSAY_CLUSTER", "kind")
    with pytest.raises(Refusal, match="is up by node"):
        providers.choose(cluster)


def test_an_unknown_provider_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CLUSTER", "minikube")
    with pytest.raises(Refusal, match="current, kind or node"):
        providers.choose(Cluster("one", tmp_path))
