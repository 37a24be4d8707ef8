"""How a gateway pod sets up its relay: environment variables that start with ASSAY_."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "ASSAY_"


class Settings(BaseModel):
    """Settings of one relay."""

    model_config = ConfigDict(frozen=True)

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
    log_level: str = "INFO"

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            pydantic.ValidationError: Something is missing or wrong.
        """
        names = {PREFIX + name.upper(): name for name in cls.model_fields}
        given = {names[key]: value for key, value in environment.items() if key in names and value}
        return cls.model_validate(given)
