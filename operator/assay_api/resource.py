"""What every custom resource of ours is built from."""

from functools import lru_cache
from math import isfinite
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import (
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from assay_api.rule import VALIDATIONS, Rule

GROUP = "assay.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

LINE = r"^[^\x00-\x1f\x7f]*$"
LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
MOST = 1_000_000_000_000  # of anything that is counted


def _integer(value: Any) -> Any:
    """Read an integer as the API server does: 5.0 and 5.0000000001 are some, "5" and true are not."""
    if isinstance(value, (bool, str, bytes)):
        raise ValueError("must be an integer")  # noqa: TRY004  pydantic wants a ValueError
    if not isinstance(value, float) or not isfinite(value):
        return value
    whole = int(value)
    return whole if abs(value - whole) <= 1e-9 * (abs(value) + abs(whole)) else value


Whole = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Name = Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
DnsName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
Percent = Annotated[Whole, Field(ge=1, le=99)]
Digest = Annotated[str, Field(max_length=71, pattern="^sha256:[0-9a-f]{64}$")]


def _stored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stored(item) for key, item in value.items() if item is not None}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=4096)
def _shared(names: frozenset[str]) -> set[str]:
    """Return one set for all that are equal: else those of a Model take more memory than its values.

    Nobody adds to it, as values are frozen; pydantic wants no frozenset.
    """
    return set(names)


class Ref(NamedTuple):
    """Who an object is; a type, because the halves of `f"{namespace}/{name}"` get swapped."""

    namespace: str
    name: str


class Ruled(BaseModel):
    """A frozen value, spelled camelCase on the wire, that keeps the `RULES` of its type.

    Unknown fields are ignored: the API server has pruned or refused them, and those of a newer CRD are
    not ours to judge. `written` reads what a person wrote.
    """

    RULES: ClassVar[tuple[Rule, ...]] = ()

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", protected_namespaces=()
    )

    @classmethod
    def written(cls, value: Any) -> Self:
        """Read a value that a person wrote; unknown fields are refused.

        Raises:
            pydantic.ValidationError: It names every field that is wrong.
        """
        return cls.model_validate(value, extra="forbid")

    def changed(self, **news: Any) -> Self:
        """Return a copy in which these fields have other values, which are checked like any.

        Raises:
            TypeError: There is no such field.
            pydantic.ValidationError: A value is not one of its field.
        """
        if unknown := news.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return type(self).model_validate({name: getattr(self, name) for name in self.model_fields_set} | news)

    @model_validator(mode="before")
    @classmethod
    def _as_stored(cls, value: Any) -> Any:
        """Read as the API server does: null is absent, and 5.0 is 5."""
        return _stored(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        if broken := [rule.message for rule in self.RULES if rule.broken_by(self)]:
            raise ValueError("; ".join(broken))
        object.__setattr__(self, "__pydantic_fields_set__", _shared(frozenset(self.model_fields_set)))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Say the rules in CEL."""
        schema = handler.resolve_ref_schema(handler(core))
        if cls.RULES:
            schema[VALIDATIONS] = [rule.validation for rule in cls.RULES]
        return schema


class Resource(Ruled):
    """A part of a spec."""


class Observed(Ruled):
    """A value that others write too; they may know fields that we do not."""


class Metadata(Observed):
    """The part of `metadata` that we read."""

    name: str
    namespace: str
    uid: str
    resource_version: str = ""
    generation: int = 1
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Return who the object is."""
        return Ref(self.namespace, self.name)


def keyed_by(field: str) -> dict[str, Any]:
    """Mark a list as a map, so that appliers own its items and not the whole of it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}


def named(most: int) -> Rule:
    """Return the rule for the name of an object that is part of the names of its children: a DNS label."""
    return Rule(
        f"self.metadata.name.matches('^[a-z][-a-z0-9]*$') && size(self.metadata.name) <= {most}",
        f"metadata.name must start with a letter and have at most {most} characters of a-z, 0-9 and -",
        lambda it: len(it.metadata.name) <= most and _is_label(it.metadata.name),
    )


NO_DOUBLE_DASH = Rule(
    "!self.metadata.name.contains('--')",
    "metadata.name must not contain --, which is reserved for the names of its children; use a single -",
    lambda it: "--" not in it.metadata.name,
)


def _is_label(name: str) -> bool:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return name[:1] in letters and set(name) <= {*letters, *"-0123456789"}
