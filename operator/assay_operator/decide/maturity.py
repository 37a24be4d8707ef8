"""Outcomes that come late make every arm look clean at first: which guardrails have no bound on how late."""

from assay_api import ExperimentSpec, Guardrail


def unbounded(guardrail: Guardrail) -> bool:
    """Tell whether units count as good at once, although an outcome may come at any time later.

    With a window a unit counts once it has closed; a unit that is ignored without an outcome is no good one.
    """
    return guardrail.source == "Events" and guardrail.missing == "Zero" and guardrail.window is None


def finding(spec: ExperimentSpec) -> str:
    """Name the guardrails that outcomes still to come may clear too early; empty if there is none."""
    names = [guardrail.name for guardrail in spec.metrics.guardrails if unbounded(guardrail)]
    if not names:
        return ""
    return (
        f"{', '.join(names)}: no window, so units count as good before their outcomes have come; "
        "give a window as long as outcomes take"
    )
