"""The `training.tuning` block of a Model: the search for hyperparameters."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from assay_api.data import Scalar, SecretKeyRef
from assay_api.duration import Period
from assay_api.resource import Flag, Number, Resource, Whole
from assay_api.rule import Rule

MOST_RANGES = 25
A_RANGE = Rule(
    "has(self.low) == has(self.high)",
    "a range has either choices, or both low and high",
    lambda among: (among.low is None) == (among.high is None),
)
FEW_RANGES = Rule(
    f"self.map(a, size(self[a])).sum() <= {MOST_RANGES}",
    f"tuning.space must have at most {MOST_RANGES} ranges in all; leave out what matters least",
    lambda space: sum(map(len, space.values())) <= MOST_RANGES,
)


class SearchRange(Resource):
    """Values to search: choices, or numbers from low to high, whole if both are."""

    RULES: ClassVar = (A_RANGE,)

    low: Annotated[Number | None, Field(description="Smallest value.")] = None
    high: Annotated[Number | None, Field(description="Largest value.")] = None
    log: Annotated[Flag, Field(description="Whether to sample on a logarithmic scale.")] = False
    choices: Annotated[
        tuple[Scalar, ...] | None, Field(max_length=10, description="Categorical values to choose from.")
    ] = None

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole: both ends are."""
        return all(end is not None and float(end).is_integer() for end in (self.low, self.high))


class StudyStorage(Resource):
    """A PostgreSQL database that keeps the study, where workers share no file system."""

    url_secret_ref: Annotated[SecretKeyRef, Field(description="Key of a Secret that has the SQLAlchemy URL.")]


Parameter = Annotated[str, Field(max_length=64)]
Space = Annotated[dict[Parameter, SearchRange], Field(max_length=20)]


class Tuning(Resource):
    """The search for hyperparameters."""

    sampler: Annotated[
        Literal["TPE", "Random", "Grid", "CMAES"],
        Field(description="Sampling algorithm of the study. CMAES: one algorithm, and numbers only."),
    ] = "TPE"
    trials: Annotated[Whole, Field(ge=1, le=10_000, description="Number of trials.")] = 10
    timeout: Annotated[Period | None, Field(description="No trial starts after this time.")] = None
    parallelism: Annotated[
        Whole, Field(ge=1, le=64, description="Workers, each a pod where they can share the study.")
    ] = 1
    storage: Annotated[
        StudyStorage | None,
        Field(description="Storage of the study. Default: a journal beside the Model's artifacts."),
    ] = None
    pruner: Annotated[
        Literal["Median", "None"], Field(description="Early stopping of trials that fall behind.")
    ] = "Median"
    patience: Annotated[
        Whole | None,
        Field(ge=1, le=10_000, description="Trials without improvement after which the study stops."),
    ] = None
    space: Annotated[
        dict[Parameter, Space], Field(max_length=7, description="Search space, by algorithm."), FEW_RANGES
    ] = {}
    max_failed_trials: Annotated[
        Whole, Field(ge=0, le=10_000, description="Failed trials that the study tolerates.")
    ] = 0
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1, description="Seed of the random generators.")] = 0
