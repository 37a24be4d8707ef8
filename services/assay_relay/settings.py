"""How a gateway pod sets up its relay: environment variables that start with ASSAY_."""

from pathlib import Path

from pydantic import Field

from assay_process import settings
from assay_process.settings import LogLevel


class Settings(settings.Settings):
    """Settings of one relay."""

    operator_address: str = Field(min_length=1, description="host:port of the operator's ADS server")
    relay_port: int = Field(18_000, description="where Envoy finds this process, on loopback only")
    memory: Path = Field(Path("/var/lib/assay/relay/last"), description="the file of what Envoy has accepted")
    patience_seconds: float = Field(
        2.0, gt=0, description="an operator that is silent for so long when Envoy starts counts as away"
    )
    save_seconds: float = Field(1.0, gt=0, description="the file is written at most this often")
    peers_address: str = Field("", description="host:port that leads to a gateway that is ready; empty: none")
    peers_port: int = Field(9905, description="where this process answers other gateways, if there are any")
    token_file: Path | None = Field(None, description="the token by which gateways know each other")
    listen_port: int = Field(9904, description="where /metrics is")
    log_level: LogLevel = "INFO"
