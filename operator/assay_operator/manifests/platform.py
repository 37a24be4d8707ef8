"""What the administrator decided for every Model: images, storage, where the gateway listens."""

from dataclasses import dataclass, field

ARTIFACTS = "/artifacts"


@dataclass(frozen=True)
class ArtifactStore:
    """Where artifacts lie: an fsspec URL, or (the default) a volume claim for each Model."""

    uri: str = ""
    size: str = "1Gi"
    storage_class: str = ""
    access_mode: str = "ReadWriteOnce"

    @property
    def on_claims(self) -> bool:
        """Whether each Model has a volume of its own."""
        return not self.uri

    @property
    def root(self) -> str:
        """The URL under which artifacts are written and read in a pod."""
        return self.uri.rstrip("/") or f"file://{ARTIFACTS}"


@dataclass(frozen=True)
class Platform:
    """The administrator's choices.

    Attributes:
        gateway_host: The full name of the gateway's Service, down to the domain of the cluster.
    """

    predictor_image: str
    trainer_image: str
    pull_policy: str = "IfNotPresent"
    store: ArtifactStore = field(default_factory=ArtifactStore)
    gateway_host: str = "assay-gateway.assay-system.svc.cluster.local"
    trainer_cpu: str = "1"
    trainer_memory: str = "2Gi"
    trainer_service_accounts: tuple[str, ...] = ()
    predictor_service_accounts: tuple[str, ...] = ()
    collector_url: str = ""
