"""The same verdict again, from its evidence: what `assay replay` computes."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from assay_api import Experiment
from assay_api.names import SETTLED
from assay_operator.decide.analysis import SRM_ALPHA, readings
from assay_operator.decide.observed import ArmSeen, Findings, Gap, Observed, Trust
from assay_operator.decide.outcome import Outcome
from assay_operator.decide.verdict import decide
from assay_stats import Moments, Srm, srm


def replay(experiment: Experiment) -> Outcome:
    """Decide anew from the spec, the frozen plan and the evidence of the verdict.

    Raises:
        ValueError: There is no verdict, or one that was made without looking at numbers.
    """
    decision, plan = experiment.status.decision, experiment.status.plan
    if decision is None:
        raise ValueError(f"{experiment.metadata.name} is not decided yet")
    if not decision.evidence or plan is None or experiment.status.step_started_at is None:
        raise ValueError(f"{decision.verdict} was made without numbers: {decision.message}")
    said = decision.evidence
    names = [arm.name for arm in experiment.spec.arms]  # the API server sorts the keys of a record
    arms = tuple(_arm(name, said["arms"][name]) for name in names)
    return decide(
        Observed(
            spec=experiment.spec,
            now=datetime.fromisoformat(said["now"]),
            started_at=datetime.fromisoformat(said["startedAt"]),
            step=said["step"],
            step_started_at=experiment.status.step_started_at,
            arms=arms,
            readings=()
            if said["trust"]["fault"]
            else readings(experiment.spec, plan, arms, experiment.status.analysis),
            trust=_trust(said, arms),
            approved=said["approved"],
            aborted=said["aborted"],
            lost=said["lost"],
            down=said["down"],
            drifting=frozenset(said["drifting"]),
            alerted=said["alerted"],
            programmed=said["programmed"],
        )
    )


def _arm(name: str, said: Mapping[str, Any]) -> ArmSeen:
    moments = {metric: Moments(*sums) for metric, sums in said["metrics"].items()}
    return ArmSeen(name, said["version"], said["units"], moments)


def _trust(said: Mapping[str, Any], arms: tuple[ArmSeen, ...]) -> Trust:
    trust = said["trust"]
    return Trust(
        srm=_srm(said, arms),
        findings=Findings(**{field.name: trust[field.name] for field in fields(Findings)}),
        data_age=trust["dataAgeSeconds"],
        fault=trust["fault"],
        gaps=tuple(Gap(**gap) for gap in trust["gaps"]),
    )


def _srm(said: Mapping[str, Any], arms: tuple[ArmSeen, ...]) -> Srm | None:
    """The evidence against the split never shrinks, so what was reached is where it is computed anew from."""
    reached = said["trust"]["srmLogEvidence"]
    if reached is None:
        return None
    widths = {part["arm"]: float(part["to"] - part["from"]) for part in said["table"]}
    counts = {arm.name: arm.moments[SETTLED].n for arm in arms if SETTLED in arm.moments}
    return srm({name: counts[name] for name in widths}, widths, SRM_ALPHA, previous=reached)
