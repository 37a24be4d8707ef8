"""Our metrics, on a registry of our own; labels are route templates, so that no client can make series."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
OWNER = ("namespace", "model", "version")
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of one model version."""

    def __init__(self, namespace: str, model: str, version: str) -> None:
        """Make series that bear the version's name."""
        self.registry = CollectorRegistry()
        self.owner = (namespace, model, version)
        self.answers = Counter(
            "assay_predictions",
            "Answered prediction requests",
            (*OWNER, "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "assay_prediction_duration_seconds",
            "From a request's arrival to its answer",
            (*OWNER, "route"),
            registry=self.registry,
            buckets=SECONDS,
        )
        batches = Histogram(
            "assay_batch_rows", "Rows in one model call", OWNER, registry=self.registry, buckets=BATCHES
        )
        self.batch = batches.labels(*self.owner)
        self.in_flight = Gauge(
            "assay_requests_in_flight", "Requests that are being answered", OWNER, registry=self.registry
        ).labels(*self.owner)
        self.captured = self._counter("assay_capture_rows", "Rows that were counted for drift")
        self.uncaptured = self._counter(
            "assay_capture_lost_rows", "Counted rows that never reached the collector"
        )

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(name, about, OWNER, registry=self.registry).labels(*self.owner)

    def route(self, template: str) -> "RouteMetrics":
        """Return the series of one route."""
        return RouteMetrics(self, template)

    def page(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self.registry)


class RouteMetrics:
    """Series of one route, looked up once."""

    def __init__(self, metrics: Metrics, template: str) -> None:
        """Look up the duration."""
        self.metrics, self.template = metrics, template
        self.seconds = metrics.seconds.labels(*metrics.owner, template)
        self.answers: dict[int, Counter] = {}

    def count(self, status: int, seconds: float) -> None:
        """Count one answer."""
        if status not in self.answers:
            labels = (*self.metrics.owner, self.template, str(status))
            self.answers[status] = self.metrics.answers.labels(*labels)
        self.answers[status].inc()
        self.seconds.observe(seconds)
