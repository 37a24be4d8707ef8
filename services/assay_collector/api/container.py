"""The parts of a collector, as the composition root puts them together."""

from dataclasses import dataclass

from sqlalchemy import Engine

from assay_collector.api.body import Bounds
from assay_collector.api.changes import Changes
from assay_collector.api.tokens import SecretFile, Tokens
from assay_collector.telemetry import Telemetry
from assay_collector.writer import Writer


@dataclass(frozen=True)
class Collector:
    """The parts of a collector."""

    engine: Engine
    writer: Writer
    changes: Changes
    telemetry: Telemetry
    tokens: Tokens
    unit_key: SecretFile
    bounds: Bounds
    tick_seconds: float = 1.0
