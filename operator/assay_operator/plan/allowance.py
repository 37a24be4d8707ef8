"""What the administrator allows: service accounts, which may open more than their users may."""

from assay_api import Model, ModelVersion
from assay_operator.manifests.platform import Platform


def serving_refusal(model: Model, platform: Platform) -> str:
    """Return why predictors may not be what the Model asks for; empty if they may."""
    name = model.spec.serving.service_account_name
    return _unlisted("serving", name, "predictor", platform.predictor_service_accounts)


def training_refusal(version: ModelVersion, platform: Platform) -> str:
    """Return why the version's Job may not be what its source asks for; empty if it may."""
    asks = version.spec.source.training or version.spec.source.evaluation
    name = asks.worker.service_account_name if asks else None
    return _unlisted("training.worker", name, "trainer", platform.trainer_service_accounts)


def _unlisted(block: str, name: str | None, kind: str, allowed: tuple[str, ...]) -> str:
    if name is None or name in allowed:
        return ""
    return (
        f"{block}.serviceAccountName {name} is not among those that the administrator allows "
        f"({', '.join(allowed) or 'none'}); the chart's operator.{kind}ServiceAccounts lists them"
    )
