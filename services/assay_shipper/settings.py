"""How a gateway pod sets up its shipper: environment variables that start with ASSAY_."""

from pathlib import Path

from pydantic import Field

from assay_process import settings
from assay_process.settings import LogLevel, Url


class Settings(settings.Settings):
    """Settings of one shipper."""

    exposures: Path = Field(Path("/var/log/assay/exposures.jsonl"), description="Envoy's log")
    checkpoint: Path | None = Field(None, description="default: next to the log")
    collector_url: Url
    token_file: Path = Field(description="the gateway's token, read again when it changes")
    unit_key_file: Path = Field(description="key of the pseudonyms, the collector's as well")
    pod: str = ""
    envoy_admin: Url | None = Field(
        None, description="where to ask Envoy to reopen its log; without, no rotation"
    )
    listen_port: int = Field(9903, description="where /metrics is")
    poll_seconds: float = Field(0.05, gt=0, description="how often to look for new lines")
    rotate_bytes: int = Field(64 << 20, gt=0, description="a log that is larger is renamed and finished")
    disk_bytes: int = Field(
        1 << 30, gt=0, description="all logs together; beyond it the oldest is given up, loudly"
    )
    batch_bytes: int = Field(1 << 20, gt=0, description="log read at a time")
    drain_seconds: float = Field(20, ge=0, description="longest time to ship what is left after SIGTERM")
    log_level: LogLevel = "INFO"

    @property
    def checkpoint_file(self) -> Path:
        """Where the checkpoint is."""
        return self.checkpoint or self.exposures.with_name(self.exposures.name + ".checkpoint")
