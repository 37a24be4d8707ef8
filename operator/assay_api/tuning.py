"""The `training.tuning` block of a Model: the search for hyperparameters."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from assay_api.data import Scalar, SecretKeyRef
from assay_api.resource import Duration, Resource, rules

A_RANGE = "a range has either choices, or both low and high"


class SearchRange(Resource):
    """Values to search: choices, or numbers from low to high, whole if both are."""

    model_config = ConfigDict(json_schema_extra=rules({"has(self.low) == has(self.high)": A_RANGE}))

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: Annotated[tuple[Scalar, ...] | None, Field(max_length=100)] = None

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole: both ends are."""
        return all(end is not None and float(end).is_integer() for end in (self.low, self.high))


class StudyStorage(Resource):
    """A PostgreSQL database that keeps the study, where workers share no file system."""

    url_secret_ref: SecretKeyRef


class Tuning(Resource):
    """The search for hyperparameters."""

    sampler: Annotated[
        Literal["TPE", "Random", "Grid", "CMAES"],
        Field(description="CMAES: one algorithm, and numbers only."),
    ] = "TPE"
    trials: Annotated[int, Field(ge=1, le=10_000)] = 10
    timeout: Annotated[Duration | None, Field(description="No trial starts after this.")] = None
    parallelism: Annotated[
        int, Field(ge=1, le=64, description="Workers, each a pod where they can share the study.")
    ] = 1
    storage: Annotated[
        StudyStorage | None, Field(description="Default: a journal beside the Model's artifacts.")
    ] = None
    pruner: Annotated[
        Literal["Median", "None"], Field(description="Gives up on trials that fall behind.")
    ] = "Median"
    patience: Annotated[
        int | None, Field(ge=1, description="Trials without a better one before it stops.")
    ] = None
    space: Annotated[
        dict[str, dict[str, SearchRange]], Field(max_length=10, description="Ranges to search, by algorithm.")
    ] = {}
    max_failed_trials: Annotated[int, Field(ge=0, le=10_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
