"""Every reason that a condition, an Event, a verdict, a hold or a report may carry."""

from enum import StrEnum


class Reason(StrEnum):
    """One CamelCase word for machines; `REASONS` has its meaning, its severity and what to do."""

    # any kind
    INVALID_SPEC = "InvalidSpec"
    NAME_TAKEN = "NameTaken"
    CHILD_REFUSED = "ChildRefused"
    NOT_ALLOWED = "NotAllowed"
    RETRY_SCHEDULED = "RetryScheduled"
    RETRIES_EXHAUSTED = "RetriesExhausted"

    # Model
    SERVING = "Serving"
    NO_CHAMPION = "NoChampion"
    CHAMPION_DOWN = "ChampionDown"
    CHAMPION_CHANGED = "ChampionChanged"
    EXPERIMENTING = "Experimenting"
    BAKING = "Baking"
    BAKE_FAILED = "BakeFailed"
    BAKE_BREACHED = "BakeBreached"
    PROMOTED_BY_HAND = "PromotedByHand"
    ROLLED_BACK_BY_HAND = "RolledBackByHand"
    IDLE = "Idle"
    AS_EXPECTED = "AsExpected"
    ALERT_FIRES = "AlertFires"
    NO_ACTIVE_ALERTS = "NoActiveAlerts"

    # gateways
    PROGRAMMED = "Programmed"
    NOT_PROGRAMMED_YET = "NotProgrammedYet"
    REFUSED = "Refused"

    # Experiment that has not started
    MODEL_NOT_FOUND = "ModelNotFound"
    VERSION_NOT_FOUND = "VersionNotFound"
    QUEUED = "Queued"
    LAYER_FULL = "LayerFull"
    VERSION_NOT_READY = "VersionNotReady"
    CONTROL_IS_NOT_CHAMPION = "ControlIsNotChampion"
    ARM_NOT_READY = "ArmNotReady"
    SCHEMA_CHANGED = "SchemaChanged"
    AA_UNACKNOWLEDGED = "AAUnacknowledged"

    # Experiment that runs
    STARTED = "Started"
    RUNNING = "Running"
    STEP_DONE = "StepDone"
    ALL_ARMS_HEALTHY = "AllArmsHealthy"
    ARM_DROPPED = "ArmDropped"
    DRIFTING = "Drifting"
    SUSPENDED = "Suspended"
    COLLECTOR_UNREACHABLE = "CollectorUnreachable"
    NO_DATA = "NoData"
    STALE_DATA = "StaleData"
    METRIC_UNAVAILABLE = "MetricUnavailable"
    SOURCE_ERROR = "SourceError"
    SOURCE_RESET = "SourceReset"
    BOT_UNITS = "BotUnits"
    NOT_PROGRAMMED = "NotProgrammed"
    RATIO_UNKNOWN = "RatioUnknown"
    WAITING_FOR_APPROVAL = "WaitingForApproval"

    # Experiment that is decided
    CANDIDATE_WINS = "CandidateWins"
    GUARDRAILS_HOLD = "GuardrailsHold"
    AA_EQUAL = "AAEqual"
    SHADOW_OVER = "ShadowOver"
    OUT_OF_TIME = "OutOfTime"
    OUT_OF_UNITS = "OutOfUnits"
    NOT_APPROVED = "NotApproved"
    NO_DATA_IN_TIME = "NoDataInTime"
    AA_DIFFERS = "AADiffers"
    GUARDRAIL_BREACHED = "GuardrailBreached"
    PRIMARY_WORSE = "PrimaryWorse"
    CANDIDATE_DOWN = "CandidateDown"
    CANDIDATE_DRIFTS = "CandidateDrifts"
    SAMPLE_RATIO_MISMATCH = "SampleRatioMismatch"
    AUDIT_FAILED = "AuditFailed"
    UNITS_CROSS = "UnitsCross"
    VERSION_LOST = "VersionLost"
    ABORTED = "Aborted"
    SUPERSEDED_BY_SPEC = "SupersededBySpec"
    MODEL_DELETED = "ModelDeleted"
    CLOSED = "Closed"
    ACKNOWLEDGED = "Acknowledged"

    # ModelVersion that is made
    TRAINING = "Training"
    TUNING = "Tuning"
    FITTING = "Fitting"
    JUDGING = "Judging"
    IMAGE_GIVEN = "ImageGiven"
    ARTIFACT_GIVEN = "ArtifactGiven"
    GATES_PASSED = "GatesPassed"
    GATE_FAILED = "GateFailed"
    SUPERSEDED = "Superseded"
    DATA_VALID = "DataValid"

    # what training finds worth knowing
    FIT_AS_EXPECTED = "FitAsExpected"
    OVERFITTING = "Overfitting"
    UNDERFITTING = "Underfitting"
    ACCURACY_ON_IMBALANCE = "AccuracyOnImbalance"
    NEAR_LEAK = "NearLeak"
    CONTRACT_LOST = "ContractLost"

    # what ends a training: the data
    COLUMN_ALL_NULL = "ColumnAllNull"
    COLUMN_MISSING = "ColumnMissing"
    COLUMN_MISTYPED = "ColumnMistyped"
    CONTRACT_VIOLATED = "ContractViolated"
    DATA_ACCESS_DENIED = "DataAccessDenied"
    DATA_EMPTY = "DataEmpty"
    DATA_NOT_FOUND = "DataNotFound"
    DATA_UNREADABLE = "DataUnreadable"
    FEATURE_UNFIT = "FeatureUnfit"
    KEY_NOT_UNIQUE = "KeyNotUnique"
    KEY_NULL = "KeyNull"
    TARGET_CONSTANT = "TargetConstant"
    TARGET_LEAKS = "TargetLeaks"
    TARGET_NULL = "TargetNull"
    TARGET_UNFIT = "TargetUnfit"
    TOO_FEW_ROWS = "TooFewRows"
    TOO_MANY_CATEGORIES = "TooManyCategories"

    # what ends a training: everything else
    ALGORITHM_UNFIT = "AlgorithmUnfit"
    ARTIFACT_FAILED = "ArtifactFailed"
    CHAMPION_UNREADABLE = "ChampionUnreadable"
    INFRA_CHECK_FAILED = "InfraCheckFailed"
    METRIC_UNFIT = "MetricUnfit"
    PARITY_FAILED = "ParityFailed"
    STUDY_UNREACHABLE = "StudyUnreachable"
    THRESHOLD_UNREACHABLE = "ThresholdUnreachable"
    TRAINING_FAILED = "TrainingFailed"
    TRIALS_FAILED = "TrialsFailed"

    # ModelVersion that is served
    ANSWERING = "Answering"
    STARTING = "Starting"
    SCALED_TO_ZERO = "ScaledToZero"
    POD_TROUBLE = "PodTrouble"
    VERSION_CANNOT_START = "VersionCannotStart"

    # why a predictor does not start
    ARTIFACT_MISSING = "ArtifactMissing"
    BAD_MANIFEST = "BadManifest"
    BAD_SETTINGS = "BadSettings"
    DIGEST_MISMATCH = "DigestMismatch"
    EXTERNAL_DATA = "ExternalData"
    FORMAT_MISMATCH = "FormatMismatch"
    PICKLE_REFUSED = "PickleRefused"
    READER_MISSING = "ReaderMissing"
    STORE_UNAVAILABLE = "StoreUnavailable"
    TOO_LARGE = "TooLarge"
    UNDESCRIBED = "Undescribed"
    UNREADABLE = "Unreadable"
    UNTRUSTED_TYPE = "UntrustedType"
    WARM_UP_FAILED = "WarmUpFailed"
    ZIP_BOMB = "ZipBomb"


def known(word: str, otherwise: Reason) -> Reason:
    """Return the reason that a report from outside the operator names, or `otherwise`.

    >>> known("GateFailed", Reason.TRAINING_FAILED).value, known("odd", Reason.TRAINING_FAILED).value
    ('GateFailed', 'TrainingFailed')
    """
    try:
        return Reason(word)
    except ValueError:
        return otherwise
