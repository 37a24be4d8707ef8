"""What Prometheus may know of us. Series of an Experiment go with the Experiment."""

from prometheus_client import Counter, Gauge, Histogram

EXPERIMENT = ("namespace", "experiment")
ARM = (*EXPERIMENT, "arm")
READING = (*ARM, "metric")

phase = Gauge("assay_experiment_phase", "1 for the phase that an Experiment is in.", [*EXPERIMENT, "phase"])
share = Gauge("assay_experiment_share", "Percent of all units that an arm gets.", [*ARM, "version"])
units = Gauge("assay_experiment_units", "Units that were answered under an arm.", ARM)
effect = Gauge("assay_experiment_effect", "Candidate minus control.", READING)
effect_low = Gauge("assay_experiment_effect_low", "Lower end of the confidence sequence.", READING)
effect_high = Gauge("assay_experiment_effect_high", "Upper end of the confidence sequence.", READING)
p_value = Gauge("assay_experiment_p_value", "Always-valid p-value.", READING)
srm_p_value = Gauge("assay_experiment_srm_p_value", "Of the declared split; always valid.", EXPERIMENT)
data_age = Gauge("assay_experiment_data_age_seconds", "Since the newest data of an Experiment.", EXPERIMENT)
findings = Gauge(
    "assay_experiment_findings",
    "What the collector found strange: audit_mismatches, crossover_units, bot_units, ...",
    [*EXPERIMENT, "check"],
)
aa_differs = Gauge(
    "assay_experiment_aa_differs",
    "1 for an A/A test that found a difference which nobody has acknowledged.",
    EXPERIMENT,
)
verdicts = Counter("assay_experiment_verdicts", "Verdicts.", ["namespace", "model", "verdict", "reason"])
champion = Gauge(
    "assay_model_champion_info", "1 for the version that serves.", ["namespace", "model", "version"]
)
gate = Gauge(
    "assay_model_version_gate", "1 if the version passed the gate.", ["namespace", "model", "version", "gate"]
)
trials = Counter(
    "assay_training_trials", "Trials of studies, by how they ended.", ["namespace", "model", "state"]
)
drift_alarm = Gauge("assay_drift_alarm", "Drift alerts that fire for a Model.", ["namespace", "model"])
reconciles = Histogram(
    "assay_reconcile_duration_seconds",
    "One look at a Model and all that belongs to it.",
    ["kind", "result"],
    buckets=(0.001, 0.005, 0.02, 0.05, 0.2, 0.5, 1, 5, 20),
)
errors = Counter("assay_reconcile_errors", "Reconciles that failed.", ["reason"])
objects = Gauge("assay_objects", "Models that the operator knows of.")
