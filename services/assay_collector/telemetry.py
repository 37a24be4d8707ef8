"""What Prometheus sees of the collector."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from assay_collector.batch import Answer

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)


class Telemetry:
    """The metrics of one collector."""

    def __init__(self) -> None:
        """Start at zero, in a registry of its own."""
        self.registry = CollectorRegistry()
        self.events = Counter(
            "assay_ingest_events",
            "Records by kind and fate: accepted, duplicate, unknown; orphan and late are among the accepted",
            ["kind", "result"],
            registry=self.registry,
        )
        self.lag = Histogram(
            "assay_ingest_lag_seconds",
            "From the moment that a record tells of to its durable commit",
            ["kind"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.mismatches = Counter(
            "assay_exposure_audit_mismatches",
            "Exposures whose arm is not the one that their unit's hash says",
            ["experiment"],
            registry=self.registry,
        )
        self.commit = Histogram(
            "assay_commit_seconds",
            "Time for one group commit, from its first statement until it is on disk",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.queued = Gauge(
            "assay_ingest_queued_batches", "Batches waiting for a commit", registry=self.registry
        )
        self.refused = Counter(
            "assay_requests_refused",
            "Requests answered with a problem",
            ["path", "status"],
            registry=self.registry,
        )
        self.failures = Counter(
            "assay_commit_failures", "Group commits that the database refused", registry=self.registry
        )

    def counted(self, kind: str, answer: Answer, age: float) -> None:
        """Add one answer to the counters; `age` is that of its newest record, in seconds."""
        self.lag.labels(kind).observe(age)
        for result, number in (
            ("accepted", answer.accepted),
            ("duplicate", answer.duplicates),
            ("unknown", answer.unknown),
            ("orphan", answer.orphans),
            ("late", answer.late),
        ):
            if number:
                self.events.labels(kind, result).inc(number)
