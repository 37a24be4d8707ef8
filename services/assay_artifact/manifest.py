"""What an artifact folder says about itself: `manifest.json`, whose digest is the artifact's identity."""

import hashlib
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from assay_artifact.errors import ArtifactError

MANIFEST = "manifest.json"
BINARY = 2
Label = StrictBool | StrictInt | StrictFloat | StrictStr
FeatureType = Literal["number", "category", "text", "boolean", "date"]
Format = Literal["skops", "onnx", "joblib", "xgboost"]
Task = Literal["Classification", "Regression"]


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name or name in {"", "."}:
        raise ValueError(f"{name!r} is no plain path inside the folder")
    return name


FileName = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f]+$"), AfterValidator(_inside)]


class Part(BaseModel):
    """A frozen value spelled camelCase in the file; unknown fields are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", protected_namespaces=()
    )


class Feature(Part):
    """One raw input column."""

    name: str = Field(min_length=1)
    type: FeatureType
    nullable: bool = True


class File(Part):
    """What a file of the folder must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Band(Part):
    """Probabilities of the positive class, `low` included, at which a version does not answer."""

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Bin(Part):
    """A part of the target's range in a reframed regression: its ends (None: open) and its mean."""

    low: float | None = None
    high: float | None = None
    mean: float


class Manifest(Part):
    """One model version, ready to be loaded.

    `features` are in the order of the training data. `classes` are in the order of the columns of the
    probabilities; `positions` says that the model itself knows them as 0, 1, ... only.
    `threshold` is the least probability at which a binary model says `positive`.
    `plan` is a file with the same model as plain arrays, which is read instead of `file`, as that is quicker.
    `neutral` is the band of probabilities of `positive` in which the version has no opinion.
    `bins` makes a regression of a model that says how likely each bin of the target is.
    `trusted_types` are names of skops types that the author of the version vouches for.
    """

    schema_version: Literal[1] = 1
    model: str
    version: str
    task: Task
    format: Format
    file: FileName
    files: dict[FileName, File] = {}
    plan: FileName | None = None
    features: tuple[Feature, ...] = Field(min_length=1)
    target: str | None = None
    classes: tuple[Label, ...] | None = None
    positions: bool = False
    threshold: float | None = Field(default=None, ge=0, le=1)
    positive: Label | None = None
    neutral: Band | None = None
    bins: tuple[Bin, ...] | None = None
    packages: dict[str, str] = {}
    python: str = ""
    seed: int | None = None
    trusted_types: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [feature.name for feature in self.features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"features {twice} are listed twice")
        if (self.task == "Classification") != bool(self.classes):
            raise ValueError("a Classification has classes, a Regression has none")
        if self.threshold is not None and (len(self.classes or ()) != BINARY or self.positive is None):
            raise ValueError("a threshold needs two classes, and `positive` to name one of them")
        if self.neutral is not None and self.positive is None:
            raise ValueError("a neutral band needs `positive`")
        if self.bins is not None and (self.task != "Regression" or len(self.bins) < BINARY):
            raise ValueError("bins are for regressions, two at least")
        if self.positive is not None and self.positive not in (self.classes or ()):
            raise ValueError(f"positive {self.positive!r} is none of the classes {self.classes}")
        return self

    @property
    def of_model(self) -> "Manifest":
        """Return what the model in the file is: a reframed regression is a classification over bins."""
        if self.bins is None:
            return self
        classes = tuple(range(len(self.bins)))
        return self.model_copy(update={"task": "Classification", "classes": classes, "bins": None})

    def to_bytes(self) -> bytes:
        """Return the exact content of the file: equal manifests have equal bytes."""
        return self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"


def digest_of(content: bytes) -> str:
    """Return the digest of the bytes of a manifest, as it stands in a ModelVersion.

    >>> digest_of(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def parse(content: bytes, digest: str) -> Manifest:
    """Read a manifest, but only if it is the one that was asked for.

    Raises:
        ArtifactError: The digest differs (DigestMismatch), or the content is no manifest (BadManifest).
    """
    if (found := digest_of(content)) != digest:
        raise ArtifactError("DigestMismatch", f"{MANIFEST} has digest {found}, expected {digest}")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "top level"
        raise ArtifactError("BadManifest", f"{MANIFEST}: {where}: {first['msg']}") from None
    for name in {manifest.file, manifest.plan or manifest.file} - manifest.files.keys():
        raise ArtifactError("BadManifest", f"{MANIFEST}: {name!r} is not listed in `files`")
    return manifest
