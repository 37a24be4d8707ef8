"""Rules: each is declared once and holds twice, as CEL in the API server and as Python wherever we parse.

A rule about one field is part of the field's annotation, a rule about several fields stands in the `RULES` of
its type (see `resource.Resource`). From both come the `x-kubernetes-validations` of the CRDs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """One claim about a value.

    Attributes:
        cel: The claim about `self`, for the API server.
        message: The field, the bar and the next step.
        holds: The same claim about the parsed value; None for a claim about `oldSelf`, which only the API
            server knows.
        field: The JSON path of the field at fault, such as `.maxDuration`; empty for the value itself.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""

    def unless(self, cel: str, exempt: Callable[[Any], bool]) -> Self:
        """Return the rule for values that are not exempt."""
        holds = self.holds
        assert holds is not None
        return replace(self, cel=f"{cel} || ({self.cel})", holds=lambda value: exempt(value) or holds(value))

    @property
    def validation(self) -> dict[str, str]:
        """An item of `x-kubernetes-validations`."""
        path = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.cel, "message": self.message} | path

    def broken_by(self, value: Any) -> bool:
        """Whether the value breaks the rule, as far as the value alone can tell."""
        return self.holds is not None and not self.holds(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the annotated field."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the annotated field."""
        schema = handler(core)
        return schema | {VALIDATIONS: [*schema.get(VALIDATIONS, ()), self.validation]}

    def _checked(self, value: Any) -> Any:
        if self.broken_by(value):
            raise ValueError(self.message)
        return value


def bounds_in_order(otherwise: str) -> Rule:
    """Return the rule that `min` does not exceed `max`, where both are said.

    Args:
        otherwise: What would be the matter, to end the message with.
    """
    return Rule(
        "!has(self.min) || !has(self.max) || self.min <= self.max",
        f"min must not exceed max, or {otherwise}",
        lambda value: value.min is None or value.max is None or value.min <= value.max,
        ".min",
    )
