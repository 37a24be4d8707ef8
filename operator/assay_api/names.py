"""Names and labels of everything the operator makes."""

import re

from assay_api.resource import GROUP

MODEL = f"{GROUP}/model"
VERSION_OF = f"{GROUP}/version"
ROLE = f"{GROUP}/role"  # gateway, trainer or predictor: what the operator watches pods for
MADE_BY_MODEL = f"{GROUP}/made-by-model"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"
OPERATOR = "assay-operator"
ABORT = f"{GROUP}/abort"  # an annotation: who wants an Experiment to end, and why
APPROVE = f"{GROUP}/approve"  # an annotation: who lets the winner of an Experiment be promoted
ACKNOWLEDGE = f"{GROUP}/acknowledge"  # an annotation: who has looked into what an A/A test found
PROMOTE = f"{GROUP}/promote"  # an annotation of a Model: which version becomes champion, and who wants it
ROLLBACK = f"{GROUP}/rollback"  # an annotation of a Model: who wants the former champion back
RETRAIN = f"{GROUP}/retrain"  # an annotation: versions up to this one are not used again
SOURCE = f"{GROUP}/source"  # training, artifact or image: what a version is made from
TRIGGER = f"{GROUP}/trigger"
FINALIZER = f"{GROUP}/finalizer"
DIGEST = f"{GROUP}/digest"
SETTLED = "assay.settled"  # a count of our own beside the user's metrics, whose names have no dot


def mature(metric: str) -> str:
    """Return the name under which a metric's units that are old enough are counted."""
    return f"{metric}.mature"


def version_name(model: str, number: int) -> str:
    """Return the name of a ModelVersion.

    >>> version_name("churn", 3)
    'churn-3'
    """
    return f"{model}-{number}"


def version_number(name: str) -> int:
    """Return the number of a ModelVersion; 0 for what is no name of one.

    >>> version_number("churn-3"), version_number("yes, please")
    (3, 0)
    """
    number = name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def predictor_name(version: str) -> str:
    """Return the name of a version's Deployment and Service; no Model may have it, as it has two hyphens."""
    return f"{version}--predictor"


def trainer_name(version: str) -> str:
    """Return the name of a version's training Job."""
    return f"{version}-train"


def claim_name(model: str) -> str:
    """Return the name of the volume claim that holds a Model's artifacts."""
    return f"{model}-artifacts"


def experiment_name(version: str, generation: int) -> str:
    """Return the name of the Experiment in which a version meets the champion.

    The generation of the Model that asked for it is part of it: asking again is another Experiment.
    """
    return f"{version}-g{generation}"


def experiment_generation(name: str) -> int:
    """Return the generation that an Experiment's name carries; 0 for what is no name of ours.

    >>> experiment_generation("churn-2-g3-2"), experiment_generation("mine")
    (3, 0)
    """
    found = re.search(r"-g([0-9]+)(-[0-9]+)?$", name)
    return int(found[1]) if found else 0
