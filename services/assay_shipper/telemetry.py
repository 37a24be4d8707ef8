"""What Prometheus sees of the shipper."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Telemetry:
    """The metrics of one shipper."""

    def __init__(self) -> None:
        """Start at zero, in a registry of its own."""
        registry = self.registry = CollectorRegistry()
        self.exposures = Counter(
            "assay_exposures",
            "Requests in the exposure log by what they were assigned: an arm, unenrolled, or none",
            ["namespace", "model", "assigned"],
            registry=registry,
        )
        self.faults = Counter(
            "assay_exposure_faults",
            "Requests that were not served well: covered, refused, failed, cut, left, empty",
            ["namespace", "model", "assigned", "fault"],
            registry=registry,
        )
        self.mismatches = Counter(
            "assay_exposure_audit_mismatches",
            "Exposures whose arm is not the one that their unit's hash says",
            ["experiment"],
            registry=registry,
        )
        self.sent = Counter(
            "assay_shipper_sent", "Records that the collector acknowledged", registry=registry
        )
        self.unknown = Counter(
            "assay_shipper_unknown",
            "Records of an Experiment that the collector does not know",
            registry=registry,
        )
        self.malformed = Counter("assay_shipper_malformed", "Lines that are no exposure", registry=registry)
        self.refused = Counter(
            "assay_shipper_refused", "Records that the collector refuses", registry=registry
        )
        self.lost = Counter(
            "assay_shipper_lost", "Exposures given up because the disk bound was reached", registry=registry
        )
        self.lost_answers = Counter(
            "assay_shipper_lost_answers",
            "Answers whose counts were given up because too many waited for the collector",
            registry=registry,
        )
        self.failures = Counter(
            "assay_shipper_failures",
            "Failed attempts, by whom: collector, envoy, key, log",
            ["of"],
            registry=registry,
        )
        self.rotations = Counter("assay_shipper_rotations", "Finished log files", registry=registry)
        self.truncations = Gauge(
            "assay_shipper_truncations", "Times that the log became shorter", registry=registry
        )
        self.backlog = Gauge("assay_shipper_backlog_bytes", "Log that is not shipped yet", registry=registry)
        self.lag = Gauge(
            "assay_shipper_lag_seconds",
            "Age of the newest acknowledged exposure when it was sent",
            registry=registry,
        )
        self.blocked = Gauge(
            "assay_shipper_blocked_seconds", "For how long the collector has taken nothing", registry=registry
        )
