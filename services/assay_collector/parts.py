"""The parts of a collector, as the composition root puts them together."""

from dataclasses import dataclass

from sqlalchemy import Engine

from assay_collector.body import Bounds
from assay_collector.changes import Changes
from assay_collector.telemetry import Telemetry
from assay_collector.tokens import SecretFile, Tokens
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
