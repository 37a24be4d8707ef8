"""Composition root: settings, database, writer, HTTP server; and a graceful end."""

import asyncio
import gc
from types import FrameType

import uvicorn

from assay_collector.api.app import application
from assay_collector.api.body import Bounds
from assay_collector.api.changes import Changes
from assay_collector.api.container import Collector
from assay_collector.api.protocol import PatientProtocol
from assay_collector.api.tokens import SecretFile, Tokens
from assay_collector.settings import Settings
from assay_collector.store.engine import migrated, opened
from assay_collector.telemetry import Telemetry
from assay_collector.writer import Writer
from assay_process import logs
from assay_process.settings import settings_or_exit

DRAIN_SECONDS = 20
GARBAGE = 100_000


class Server(uvicorn.Server):
    """Sends long polls home when the process is asked to end, else they'd hold it up."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        """Serve until SIGTERM."""
        super().__init__(config)
        self._changes = changes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._changes.close()
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # a graceful end is a success, not a death by signal


def collector(settings: Settings) -> Collector:
    """Build the parts; the database is there and up to date afterwards."""
    engine = opened(settings.database_url.get_secret_value())
    migrated(engine)
    telemetry = Telemetry()
    return Collector(
        engine=engine,
        writer=Writer(engine, settings.policy, telemetry),
        changes=Changes(),
        telemetry=telemetry,
        tokens=Tokens(settings.tokens_dir),
        unit_key=SecretFile(settings.unit_key_file),
        bounds=Bounds(settings.body_bytes, settings.body_seconds),
    )


async def serve(settings: Settings) -> None:
    """Serve until a signal ends it."""
    parts = collector(settings)
    config = uvicorn.Config(
        application(parts),
        host=settings.listen_host,
        port=settings.listen_port,
        loop="uvloop",
        http=PatientProtocol,
        log_level=settings.log_level.lower(),
        access_log=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
    )
    await Server(config, parts.changes).serve()


def main() -> None:
    """Run the collector."""
    settings = settings_or_exit(Settings)
    logs.configure(settings.log_level, quiet=["alembic"])
    gc.set_threshold(GARBAGE)  # batches are thousands of small objects that die young, by their counts
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(serve(settings))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - only here

    return uvloop.new_event_loop()
