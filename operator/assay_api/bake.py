"""How a new champion is watched after it took over."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from assay_api.duration import Pause
from assay_api.resource import Number, Resource
from assay_api.rule import Rule

SlowerThan = Literal["10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "20s"]

SLOW_NEEDS_A_BAR = Rule(
    "(self.name == 'slow') == has(self.slowerThan)",
    "guardrail slow needs slowerThan, and errors may not have it",
    lambda guardrail: (guardrail.name == "slow") == (guardrail.slower_than is not None),
    ".slowerThan",
)
ONE_OF_EACH = Rule(
    "self.all(g, self.exists_one(h, h.name == g.name))",
    "bake.guardrails must have different names",
    lambda guardrails: len({guardrail.name for guardrail in guardrails}) == len(guardrails),
)


class BakeMargin(Resource):
    """How much worse than the former champion is accepted."""

    absolute: Annotated[
        Number,
        Field(
            ge=0.001,
            le=0.999,
            description="Difference of the shares of bad answers; 0.05 is five percentage points.",
        ),
    ]


class BakeGuardrail(Resource):
    """A share of the new champion's answers that may not exceed the former one's by more than the margin."""

    RULES: ClassVar = (SLOW_NEEDS_A_BAR,)

    name: Annotated[
        Literal["errors", "slow"],
        Field(
            description="errors: answers that failed the caller: 5xx, 4xx of the model, broken off. slow: "
            "answers slower than slowerThan."
        ),
    ]
    margin: Annotated[BakeMargin, Field(description="Non-inferiority margin.")]
    slower_than: Annotated[
        SlowerThan | None, Field(description="Time from which on an answer is slow; only of guardrail slow.")
    ] = None


ERRORS = BakeGuardrail(name="errors", margin=BakeMargin(absolute=0.05))


class Bake(Resource):
    """How a new champion is watched after it took over."""

    duration: Annotated[
        Pause,
        Field(
            description="Watched for this long after it took over, and not longer than rollbackWindow: "
            "if it has no ready pod meanwhile, or breaches a guardrail, the former champion serves again. "
            "0s: not watched."
        ),
    ] = "10m"
    guardrails: Annotated[
        tuple[BakeGuardrail, ...],
        Field(
            max_length=2,
            description="Guardrails against the former champion's own level, in its last 10 minutes; they "
            "watch for an hour at most. Empty: pods only.",
        ),
        ONE_OF_EACH,
    ] = (ERRORS,)
