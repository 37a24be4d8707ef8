"""`python -m assay_serving`: serve one model version until SIGTERM."""

import logging
import sys
import threading

from assay_artifact import ArtifactError
from assay_serving import startup
from assay_serving.app import PATHS, application
from assay_serving.runner import dispatched, server
from assay_serving.served import State
from assay_serving.settings import Settings, from_environment, termination_log


class Loading(threading.Thread):
    """Loads the version while the rest of the process is imported."""

    def __init__(self, settings: Settings, state: State) -> None:
        """Prepare to load into `state`."""
        super().__init__(name="loading", daemon=True)
        self.settings, self.state = settings, state
        self.failure: ArtifactError | None = None

    def run(self) -> None:
        """Load."""
        try:
            self.state.version = startup.version(self.settings)
        except ArtifactError as error:
            self.failure = error


def main() -> int:
    """Serve; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = from_environment()
    except ValueError as error:
        startup.report(termination_log(), "BadSettings", str(error))
        return 1
    state = State()
    loading = Loading(settings, state)
    loading.start()
    from assay_serving.service import mounted  # noqa: PLC0415  BentoML takes longest to import

    ours = application(state)
    app = dispatched(ours, PATHS, mounted(ours, state, settings.timeout_seconds))
    loading.join()
    if loading.failure:
        startup.report(settings.termination_log, loading.failure.reason, loading.failure.message)
        return 1
    server(app, state, settings.host, settings.port, settings.drain_seconds).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
