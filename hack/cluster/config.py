"""Pure: the configuration files of a node's components, as text."""

import json

from .settings import NODE_IP, PAUSE_IMAGE, PODS, Cluster
from .tools import CNI

_CONTAINERD = """\
version = 2
root = "{state}/containerd"
state = "{state}/containerd-state"
disabled_plugins = [{disabled}]
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/containerd-opt"
"""


def kubelet(cluster: Cluster, cgroup_root: str) -> str:
    """KubeletConfiguration; JSON, which is YAML."""
    state = cluster.state
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{state}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [NODE_IP],
            "clusterDomain": "cluster.local",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup_root,
            "containerRuntimeEndpoint": f"unix://{cluster.containerd_socket}",
            "failSwapOn": False,
            "failCgroupV1": False,
            "podCIDR": PODS,
            "tlsCertFile": f"{state}/pki/kubelet.crt",
            "tlsPrivateKeyFile": f"{state}/pki/kubelet.key",
            "resolvConf": f"{state}/resolv.conf",
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": f"{state}/volumeplugins",
            "podLogsDir": f"{state}/pods-logs",
            "nodeStatusUpdateFrequency": "5s",
            "syncFrequency": "15s",  # in which a changed Secret comes to its pods
            "maxPods": 250,
        },
        indent=1,
    )


def cni(cluster: Cluster) -> str:
    """A bridge for the pods; its address book is the cluster's own (`dataDir`)."""
    addresses = {
        "type": "host-local",
        "dataDir": f"{cluster.state}/cni/data",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps(
        {"cniVersion": "0.4.0", "name": "assay", "plugins": [{**bridge, "ipam": addresses}, ports]}
    )


def plain_containerd(cluster: Cluster) -> str:
    """An image store that runs no pods."""
    return _CONTAINERD.format(state=cluster.state, disabled='"io.containerd.grpc.v1.cri"')


def containerd(cluster: Cluster) -> str:
    """Everything under the cluster's state: two of them never meet."""
    state = cluster.state
    return f"""\
{_CONTAINERD.format(state=state, disabled="")}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{state}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def coredns(cluster: Cluster) -> str:
    """`cluster.local` only: any other name fails at once, nothing leaves the network."""
    return f"""\
.:53 {{
    errors
    ready {NODE_IP}:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {cluster.state}/admin.kubeconfig
        pods disabled
        ttl 5
    }}
    cache 5
}}
"""


def resolver() -> str:
    """What a pod of the default namespace has in /etc/resolv.conf."""
    return (
        f"nameserver {NODE_IP}\n"
        "search default.svc.cluster.local svc.cluster.local cluster.local\n"
        "options ndots:5\n"
    )


def storage_class() -> str:
    """The default class; `kube provisioner` makes a folder for each claim."""
    return json.dumps(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "default",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "assay.dev/local",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        }
    )
