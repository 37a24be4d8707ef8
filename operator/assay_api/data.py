"""The `training.data` block of a Model: where the rows are, and what must hold of them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from assay_api.resource import LINE, LINES, MOST, DnsName, Flag, Number, Resource, Whole
from assay_api.rule import Rule, bounds_in_order

MOST_TEXT = 64  # characters of a scalar
MOST_ITEMS = 12  # of a list as parameter, and characters of each
MOST_ALLOWED = 128
MOST_ALLOWED_TEXT = 40
MOST_NAMES = 3000
MOST_PATTERNS = 1024
QUERY_BYTES = 8192
COLUMN_BYTES = 8192


def fits(most: int, what: str) -> Rule:
    """Return the rule that a text is short enough in UTF-8: what etcd counts is bytes."""
    return Rule(
        f"size(bytes(self)) <= {most}",
        f"{what} must have at most {most} bytes",
        lambda text: len(text.encode()) <= most,
    )


def fit(most: int, what: str) -> Rule:
    """Return the same of a list of texts."""
    return Rule(
        f"self.map(text, size(bytes(text))).sum() <= {most}",
        f"{what} must have at most {most} bytes in all",
        lambda texts: sum(len(text.encode()) for text in texts) <= most,
    )


def keys_fit(most: int, what: str) -> Rule:
    """Return the same of the keys of a map, in characters: CEL does not know how long a key can be."""
    return Rule(
        f"self.map(key, size(key)).sum() <= {most}",
        f"the names in {what} must have at most {most} characters in all",
        lambda of: sum(map(len, of)) <= most,
    )


def _scalar(value: Any, most: int = MOST_TEXT) -> Any:
    if isinstance(value, str) and not (len(value) <= most and re.fullmatch("[ -~]*", value)):
        raise ValueError(f"must have at most {most} characters of ASCII")
    if value is not None and not isinstance(value, (str, bool, int, float)):
        raise ValueError("must be text, a number or a boolean")
    return value


def _parameter(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return _scalar(value)
    if len(value) > MOST_ITEMS:
        raise ValueError(f"must have at most {MOST_ITEMS} items")
    return [_scalar(item, MOST_ITEMS) for item in value]


_NO_OBJECT = {
    "x-kubernetes-preserve-unknown-fields": True,
    "maxLength": MOST_TEXT,
    "pattern": "^[ -~]*$",
    "minProperties": 1,
    "maxProperties": 0,
}
_NO_LIST = _NO_OBJECT | {"minItems": 1, "maxItems": 0}
Scalar = Annotated[
    Any, AfterValidator(_scalar), Field(json_schema_extra=_NO_LIST, description="Text, number or boolean.")
]
Param = Annotated[
    Any,
    AfterValidator(_parameter),
    Field(
        json_schema_extra=_NO_OBJECT
        | {"maxItems": MOST_ITEMS, "items": _NO_LIST | {"maxLength": MOST_ITEMS}},
        description="Text, number, boolean, or a list of them.",
    ),
]

Column = Annotated[str, Field(min_length=1, max_length=128, pattern=LINE)]
ColumnKey = Annotated[str, Field(max_length=128)]  # the API server has no patterns for keys
Columns = Annotated[tuple[Column, ...], Field(max_length=500), fit(COLUMN_BYTES, "a list of columns")]
AllowedValue = Annotated[
    Whole | Annotated[str, Field(max_length=MOST_ALLOWED_TEXT)],
    Field(json_schema_extra={"x-kubernetes-int-or-string": True, "maxLength": MOST_ALLOWED_TEXT}),
]
QueryText = Annotated[
    str, Field(min_length=1, max_length=QUERY_BYTES, pattern=LINES), fits(QUERY_BYTES, "a query")
]

TARGET_IS_NO_KEY = Rule(
    "self.target != self.key",
    "target and key must be different columns",
    lambda data: data.target != data.key,
    ".key",
)
ONE_PLACE = Rule(
    "has(self.uri) != has(self.sql)",
    "say exactly one of uri or sql",
    lambda data: (data.uri is None) != (data.sql is None),
)
RANGE_OF_A_COLUMN = bounds_in_order("no value is valid")
NAMES_FIT = Rule(
    f"self.columns.map(c, size(c)).sum() <= {MOST_NAMES}",
    f"the names in columns must have at most {MOST_NAMES} characters in all; drop columns that need no rule",
    lambda contract: sum(map(len, contract.columns)) <= MOST_NAMES,
    ".columns",
)
FEW_ALLOWED = Rule(
    f"self.columns.map(c, size(self.columns[c].allowed)).sum() <= {MOST_ALLOWED}",
    f"columns must list at most {MOST_ALLOWED} allowed values in all; a pattern can say more",
    lambda contract: sum(len(column.allowed) for column in contract.columns.values()) <= MOST_ALLOWED,
    ".columns",
)
PATTERNS_FIT = Rule(
    "self.columns.map(c, has(self.columns[c].pattern) ? size(self.columns[c].pattern) : 0).sum()"
    f" <= {MOST_PATTERNS}",
    f"the patterns in columns must have at most {MOST_PATTERNS} characters in all",
    lambda contract: sum(len(c.pattern or "") for c in contract.columns.values()) <= MOST_PATTERNS,
    ".columns",
)


class ColumnRules(Resource):
    """What must hold of one column; nulls break no rule but `maxNullFraction`."""

    RULES: ClassVar = (RANGE_OF_A_COLUMN,)

    type: Annotated[
        Literal["number", "integer", "boolean", "text"] | None, Field(description="Type of the values.")
    ] = None
    min: Annotated[Number | None, Field(description="Smallest valid value.")] = None
    max: Annotated[Number | None, Field(description="Largest valid value.")] = None
    allowed: tuple[int | str, ...] = ()
    pattern: str | None = None
    unique: Annotated[Flag, Field(description="Whether no value may occur twice.")] = False
    max_null_fraction: Annotated[
        Number, Field(ge=0, le=1, description="Largest fraction of missing values.")
    ] = 1.0


class WrittenColumnRules(ColumnRules):
    """Constraints on one column; missing values are judged by maxNullFraction alone."""

    allowed: Annotated[
        tuple[AllowedValue, ...],
        Field(max_length=MOST_ALLOWED, description="Valid values, whole numbers or text; absent: any."),
    ] = ()
    pattern: Annotated[
        str | None,
        Field(max_length=200, pattern=LINE, description="Regular expression that valid text matches."),
    ] = None


class Contract(Resource):
    """Constraints on the data, checked before training; those that it infers may be of any size."""

    columns: Mapping[str, ColumnRules] = {}
    min_rows: Annotated[Whole, Field(ge=0, le=MOST, description="Fewest rows.")] = 0
    max_rows: Annotated[Whole | None, Field(ge=1, le=MOST, description="Most rows.")] = None


class WrittenContract(Contract):
    """Constraints on the data, checked before training."""

    RULES: ClassVar = (NAMES_FIT, FEW_ALLOWED, PATTERNS_FIT)

    columns: Annotated[
        Mapping[ColumnKey, WrittenColumnRules], Field(max_length=100, description="Constraints by column.")
    ] = {}


class SecretRef(Resource):
    """A Secret of the Model's namespace; all its keys become environment variables of the pods."""

    name: Annotated[DnsName, Field(description="Name of the Secret.")]


class SecretKeyRef(Resource):
    """One key of a Secret of the Model's namespace."""

    name: Annotated[DnsName, Field(description="Name of the Secret.")]
    key: Annotated[
        str,
        Field(min_length=1, max_length=253, pattern="^[-._a-zA-Z0-9]+$", description="Key in the Secret."),
    ] = "url"


class Sql(Resource):
    """A query of a database."""

    url_secret_ref: Annotated[
        SecretKeyRef,
        Field(description="Where the SQLAlchemy URL is, as postgresql+psycopg://user:password@host/name."),
    ]
    query: Annotated[QueryText, Field(description="Query whose rows are the data.")]


class Data(Resource):
    """Where the rows are, and which columns have a part of their own."""

    RULES: ClassVar = (TARGET_IS_NO_KEY, ONE_PLACE)

    uri: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            pattern=LINE,
            description="An fsspec URL of csv or parquet files: file, http, https, s3, gs, az; globs.",
        ),
    ] = None
    sql: Annotated[Sql | None, Field(description="Query of a database, in place of uri.")] = None
    secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Credentials of the store, as its clients read them from the "
            "environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like."
        ),
    ] = None
    target: Annotated[Column, Field(description="Column to predict.")]
    key: Annotated[Column, Field(description="Column that identifies a row; its hash decides the split.")]
    time: Annotated[
        Column | None,
        Field(description="Column with the time at which a row became known; the newest are the test rows."),
    ] = None
    format: Annotated[
        Literal["CSV", "Parquet"] | None, Field(description="File format. Default: by the file's ending.")
    ] = None
    positive: Annotated[
        str | None,
        Field(
            max_length=128,
            pattern=LINE,
            description="Label of the positive class. Default: the last in order.",
        ),
    ] = None
    provenance: Annotated[
        str | None, Field(max_length=500, pattern=LINES, description="Where the data comes from, in words.")
    ] = None
    contract: Annotated[
        WrittenContract | None,
        Field(
            description="Constraints on the data. Absent: those that the first version's data met. "
            "Empty: none."
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
