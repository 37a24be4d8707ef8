"""`python -m assay_serving`: serve one model version until SIGTERM."""

import sys
from importlib import import_module

from starlette.types import ASGIApp

from assay_artifact import ArtifactError
from assay_process import logs
from assay_serving.api.app import application
from assay_serving.process import startup
from assay_serving.process.bento_mount import BentoMount
from assay_serving.process.runner import server
from assay_serving.settings import from_environment
from assay_serving.version import State


def main() -> int:
    """Serve; return the exit code."""
    logs.configure("INFO")
    state = State()
    try:
        settings = from_environment()
        state.version = startup.version(settings)
    except ValueError as error:
        return startup.refused("BadSettings", str(error))
    except ArtifactError as error:
        return startup.refused(error.reason, error.message)
    ours = application(state)

    def mount() -> ASGIApp:
        mounted = import_module("assay_serving.process.service").mounted
        app: ASGIApp = mounted(ours, state, settings.timeout_seconds)
        return app

    reporter = startup.reporter(state.version)
    if reporter:
        reporter.start()
    server(BentoMount(ours, mount), state, settings.host, settings.port, settings.drain_seconds).run()
    if reporter:
        reporter.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
