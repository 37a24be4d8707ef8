"""The `training.data` block of a Model: where the rows are, and what must hold of them."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.resource import Resource, rules

Column = Annotated[str, Field(min_length=1, max_length=256)]
Columns = Annotated[tuple[Column, ...], Field(max_length=500)]
FREE = {"x-kubernetes-preserve-unknown-fields": True}
Scalar = Annotated[Any, Field(json_schema_extra=FREE, description="Text, number or boolean.")]

TARGET_IS_NO_KEY = "target and key must be different columns"
ONE_PLACE = "say exactly one of uri or sql"


class ColumnRules(Resource):
    """What must hold of one column; nulls break no rule but `maxNullFraction`."""

    type: Literal["number", "integer", "boolean", "text"] | None = None
    min: float | None = None
    max: float | None = None
    allowed: Annotated[tuple[Scalar, ...], Field(max_length=1000)] = ()
    pattern: Annotated[str | None, Field(max_length=200, description="A regular expression.")] = None
    unique: bool = False
    max_null_fraction: Annotated[float, Field(ge=0, le=1)] = 1.0


class Contract(Resource):
    """What must hold of the data before anything is trained on it."""

    columns: Annotated[dict[str, ColumnRules], Field(max_length=500)] = {}
    min_rows: Annotated[int, Field(ge=0)] = 0
    max_rows: Annotated[int | None, Field(ge=1)] = None


SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class SecretRef(Resource):
    """A Secret of the Model's namespace; all its keys become environment variables of the pods."""

    name: SecretName


class SecretKeyRef(Resource):
    """One key of a Secret of the Model's namespace."""

    name: SecretName
    key: Annotated[str, Field(min_length=1, max_length=253, pattern="^[-._a-zA-Z0-9]+$")] = "url"


class Sql(Resource):
    """A query of a database."""

    url_secret_ref: Annotated[
        SecretKeyRef,
        Field(description="Where the SQLAlchemy URL is, as postgresql+psycopg://user:password@host/name."),
    ]
    query: Annotated[str, Field(min_length=1, max_length=16384)]


class Data(Resource):
    """Where the rows are, and which columns have a part of their own."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {"self.target != self.key": TARGET_IS_NO_KEY, "has(self.uri) != has(self.sql)": ONE_PLACE}
        )
    )

    uri: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=2048,
            description="An fsspec URL of csv or parquet files: file, http, https, s3, gs, az; globs.",
        ),
    ] = None
    sql: Sql | None = None
    secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Credentials of the store, as its clients read them from the "
            "environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like."
        ),
    ] = None
    target: Annotated[Column, Field(description="The column to predict.")]
    key: Annotated[Column, Field(description="The column that names a row; its hash decides the split.")]
    time: Annotated[
        Column | None,
        Field(description="When a row became known. With it the newest rows are the test rows."),
    ] = None
    format: Annotated[
        Literal["CSV", "Parquet"] | None, Field(description="Default: by the file's ending.")
    ] = None
    positive: Annotated[
        str | None,
        Field(max_length=256, description="The label that counts as positive. Default: the last in order."),
    ] = None
    provenance: Annotated[
        str | None, Field(max_length=1024, description="Where the data comes from, in words.")
    ] = None
    contract: Annotated[
        Contract | None,
        Field(
            description="Absent: what the first version saw is held against the later ones. "
            "Empty: nothing is held."
        ),
    ] = None

    @property
    def place(self) -> str:
        """Where the rows are, in words for messages; a query's URL is a secret."""
        return f"data.uri {self.uri}" if self.sql is None else "data.sql"

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns that are no features."""
        return (self.key, self.target, *((self.time,) if self.time else ()))

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.target == self.key:
            raise ValueError(TARGET_IS_NO_KEY)
        if (self.uri is None) == (self.sql is None):
            raise ValueError(ONE_PLACE)
        return self
