"""What an administrator may change, and what kopf is told."""

from pathlib import Path
from typing import Any, Literal

import kopf
from pydantic_settings import BaseSettings, SettingsConfigDict

from assay_api.names import OPERATOR
from assay_operator.manifests.platform import ArtifactStore, Platform


class Settings(BaseSettings):
    """Read from the environment, as `ASSAY_NAMESPACES='["team-a"]'`."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", frozen=True)

    namespaces: tuple[str, ...] = ()  # none: the whole cluster
    own_namespace: str = "default"
    pod_name: str = "operator"  # these three by the downward API
    pod_uid: str = ""
    pod_ip: str = "127.0.0.1"
    lease: str = "assay-operator-leader"  # and the Service that leads to its holder, and its EndpointSlice
    collector_url: str = "http://assay-collector:8080"
    tokens_dir: Path = Path("/etc/assay/tokens")
    prometheus_url: str = ""  # where metrics with source Prometheus are asked
    sql_drivers: tuple[str, ...] = ("postgresql",)  # databases that metrics with source SQL may name
    gateway_host: str = "assay-gateway.assay-system.svc.cluster.local"
    gateway_port: int = 8080
    gateway_tls_port: int = 0  # none
    predictor_image: str = "assay-predictor:latest"
    trainer_image: str = "assay-trainer:latest"
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    store_uri: str = ""
    store_size: str = "1Gi"
    store_class: str = ""
    store_access_mode: str = "ReadWriteOnce"
    trainer_memory: str = "2Gi"
    trainer_service_accounts: tuple[str, ...] = ()
    predictor_service_accounts: tuple[str, ...] = ()
    xds_port: int = 18000
    http_port: int = 8081
    sweep_seconds: float = 10
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def watched(self) -> tuple[str, ...]:
        """Namespaces to look at: our own has the gateways; none means all."""
        return tuple(dict.fromkeys((*self.namespaces, self.own_namespace))) if self.namespaces else ()

    def tokens(self, role: str) -> list[bytes]:
        """Return the tokens of a role, a line each, which may be rotated in place: all are good."""
        lines = (self.tokens_dir / role).read_bytes().splitlines()
        return [line.strip() for line in lines if line.strip()]

    def token(self, role: str) -> bytes:
        """Return the token that is shown: the first, as the others come or go; empty if there is none."""
        return next(iter(self.tokens(role)), b"")

    def predictor_key(self) -> bytes:
        """Return the key of predictors' tokens; empty if there is no file, either."""
        return self.token("predictor") if (self.tokens_dir / "predictor").exists() else b""

    @property
    def platform(self) -> Platform:
        """What every Model has in common."""
        store = ArtifactStore(self.store_uri, self.store_size, self.store_class, self.store_access_mode)
        return Platform(
            predictor_image=self.predictor_image,
            trainer_image=self.trainer_image,
            pull_policy=self.image_pull_policy,
            store=store,
            gateway_host=self.gateway_host,
            trainer_memory=self.trainer_memory,
            trainer_service_accounts=self.trainer_service_accounts,
            predictor_service_accounts=self.predictor_service_accounts,
            collector_url=self.collector_url,
        )


class NoEssence(kopf.DiffBaseStorage):
    """Keeps nothing to compare an object with: our handlers only look, whatever has changed.

    Kopf's own copies the whole body for each event, which is half of what an event costs.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return nothing."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


def kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    """Return what differs from kopf's defaults, each for a reason."""
    ours = kopf.OperatorSettings()
    ours.scanning.disabled = bool(settings.namespaces)  # no RBAC on namespaces and CRDs then
    ours.watching.server_timeout = 300  # a dead watch ends, whatever killed it
    ours.watching.client_timeout = 310
    ours.queueing.idle_timeout = 1  # seconds for which a task is kept for each object after its last event
    ours.persistence.diffbase_storage = NoEssence()
    ours.networking.enforce_retry_after = True
    ours.posting.enabled = False
    ours.posting.reporting_component = OPERATOR
    return ours
