"""What decisions know of Jobs, pods and Deployments: small frozen values, read by `kube`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class JobState:
    """A training Job.

    Attributes:
        name: Of the Job.
        finished: Whether it has ended, for better or worse.
        succeeded: Whether it ended well.
        message: What its condition says of a failure.
        image: The image of its first container.
    """

    name: str
    finished: bool
    succeeded: bool
    message: str
    image: str


@dataclass(frozen=True)
class PodState:
    """A pod.

    Attributes:
        name: Of the pod.
        version: The ModelVersion that it belongs to.
        address: Its IP address; empty while it has none.
        ready: Whether it answers.
        terminating: Whether it is being deleted.
        finished: Whether it ended, for better or worse; another one may have its work.
        termination_message: What it wrote when it ended.
        trouble: What keeps it from running, as `Reason: message`; empty if nothing does.
        sidecar_image_id: What the image of its first init container was resolved to, by digest.
    """

    name: str
    version: str
    address: str
    ready: bool
    terminating: bool
    finished: bool
    termination_message: str
    trouble: str
    sidecar_image_id: str


@dataclass(frozen=True)
class DeploymentState:
    """A Deployment: its replicas as the spec wants them, and how many are available."""

    replicas: int
    available: int
    settled: bool
