"""BentoML around the app: its service object, routes and tools, with everything that costs per request off.

Metrics, access log and tracing are ours or nobody's: BentoML's tracing middleware alone costs several times
what our whole app does, though no exporter is set. One worker: replicas are pods.
"""

import os
from typing import Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from starlette.types import ASGIApp as App

from assay_serving.version import State


def mounted(app: App, state: State, timeout_seconds: float) -> App:
    """Return BentoML's ASGI app with ours behind its own routes.

    `is_main` keeps BentoML's pickle content type shut.
    """

    class Predictor:
        """The service that BentoML knows."""

        def __is_ready__(self) -> bool:
            """Answer BentoML's own /readyz."""
            return state.ready

    service: Any = bentoml.service(
        name="predictor",
        workers=1,
        threads=1,
        traffic={"timeout": timeout_seconds},
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
    )(Predictor)
    wrapped: App = bentoml.asgi_app(app, path="/")(service).to_asgi(is_main=True)
    return wrapped
