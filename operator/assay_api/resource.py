"""What every custom resource of ours is built from."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "assay.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Name = Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Percent = Annotated[int, Field(ge=1, le=99)]
Duration = Annotated[str, Field(max_length=16, pattern="^([0-9]+(ms|s|m|h|d))+$")]
Digest = Annotated[str, Field(max_length=71, pattern="^sha256:[0-9a-f]{64}$")]


class Ref(NamedTuple):
    """Who an object is; a type, because the halves of `f"{namespace}/{name}"` get swapped."""

    namespace: str
    name: str


class Resource(BaseModel):
    """A frozen value spelled camelCase on the wire; unknown fields are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", protected_namespaces=()
    )


class Observed(Resource):
    """A value that others write too; they may know fields that we do not."""

    model_config = ConfigDict(extra="ignore")


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


def rules(messages: dict[str, str]) -> dict[str, Any]:
    """Return CEL rules for `json_schema_extra`, as `rules({"self.a < self.b": "why"})`."""
    return {"x-kubernetes-validations": [{"rule": r, "message": m} for r, m in messages.items()]}


def keyed_by(field: str) -> dict[str, Any]:
    """Mark a list as a map, so that appliers own its items and not the whole of it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}
