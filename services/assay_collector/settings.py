"""How an installation sets up its collector: environment variables that start with ASSAY_."""

from pathlib import Path

from pydantic import Field, SecretStr

from assay_collector.attribution.unit import Patience
from assay_collector.ledger.unit_of_work import Policy
from assay_process import settings
from assay_process.settings import LogLevel

MILLION = 1_000_000


class Settings(settings.Settings):
    """Settings of one collector process; the database may be shared by several when it is PostgreSQL."""

    database_url: SecretStr = Field(
        SecretStr("sqlite:////var/lib/assay/collector.db"), description="sqlite:///<path> or postgresql://..."
    )
    tokens_dir: Path = Field(description="folder with the files operator, gateway, application and predictor")
    unit_key_file: Path = Field(description="file with the key of the pseudonyms, the gateway's as well")
    listen_host: str = "0.0.0.0"
    listen_port: int = Field(
        8080, description="not ASSAY_PORT, which a Service named assay would set in its pods"
    )
    log_level: LogLevel = "INFO"
    clock_skew_seconds: float = Field(
        60, ge=0, description="an outcome may seem to precede the exposure by this"
    )
    lateness_seconds: float = Field(
        0, ge=0, description="an outcome may arrive this much after its window closed"
    )
    grace_seconds: float = Field(
        86_400, ge=0, description="how long an outcome waits for its unit's exposure"
    )
    retention_seconds: float = Field(
        604_800, ge=0, description="how long a closed Experiment keeps its units"
    )
    profile_retention_seconds: float = Field(
        1_209_600, gt=0, description="how long counts of predictors' profiles are kept"
    )
    unit_rate_per_hour: int = Field(
        0, ge=0, description="a unit that asks more often is a bot; 0 turns this off"
    )
    body_bytes: int = Field(8 << 20, gt=0, description="largest body, as sent and unpacked")
    body_seconds: float = Field(30, gt=0, description="a body must be complete after this")
    connections: int = Field(20_000, gt=0, description="more get 503")

    @property
    def policy(self) -> Policy:
        """The part that the ledger wants to know."""
        patience = Patience(int(self.clock_skew_seconds * MILLION), int(self.lateness_seconds * MILLION))
        return Policy(
            patience,
            hourly=self.unit_rate_per_hour,
            grace=int(self.grace_seconds * MILLION),
            retention=int(self.retention_seconds * MILLION),
            counts=int(self.profile_retention_seconds * MILLION),
        )
