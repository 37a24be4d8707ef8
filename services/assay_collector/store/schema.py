"""The tables. Times are microseconds since 1970; small numbers stand for uids, models and metric names.

`histories` is clustered by unit, so that an event touches one page whatever it is; `exposures`, `firsts` and
`waiting` are clustered by time, so that they only ever append. The migrations make the same; a test compares.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from assay_assign import SLOWER_THAN

metadata = MetaData()

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("namespace", "name", name="models_by_name"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("model", "name", name="metrics_by_name"),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("model", Integer, nullable=False),
    Column("plan", Text, nullable=False),  # JSON, as the first PUT had it
    Column("slots", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("folded", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Column("last_exposure_at", BigInteger),
    Column("last_ingest_at", BigInteger),
    Column("audit_mismatches", BigInteger, nullable=False),
    Column("crossover_units", BigInteger, nullable=False),
    Column("bot_units", BigInteger, nullable=False),
    Column("duplicate_exposures", BigInteger, nullable=False),
    Column("orphan_outcomes", BigInteger, nullable=False),
    Column("late_outcomes", BigInteger, nullable=False),
    UniqueConstraint("uid", name="experiments_by_uid"),
    Index("experiments_by_model", "model"),
    Index("experiments_by_revision", "revision"),
)

arms = Table(
    "arms",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("arm", SmallInteger, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("exposures", BigInteger, nullable=False),
)

cells = Table(
    "cells",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("arm", SmallInteger, primary_key=True),
    Column("metric", SmallInteger, primary_key=True),  # position in the plan
    Column("n", BigInteger, nullable=False),
    Column("total", Text, nullable=False),  # hexadecimal, units of 2**-1074
    Column("squares", Text, nullable=False),  # hexadecimal, units of 2**-2148
)

windows = Table(
    "windows",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("metric", SmallInteger, primary_key=True),
    Column("closed_until", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
)

arrivals = Table(  # units by the time from the start to their first exposure, where a lag is learned
    "arrivals",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("cell", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

delays = Table(  # units with an outcome by the time from their first exposure to it
    "delays",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("metric", SmallInteger, primary_key=True),
    Column("cell", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

exposures = Table(
    "exposures",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

histories = Table(
    "histories",
    metadata,
    Column("model", Integer, primary_key=True),
    Column("unit", LargeBinary, primary_key=True),
    Column("state", LargeBinary, nullable=False),  # MessagePack of history.History
    sqlite_with_rowid=False,
)

firsts = Table(  # the units of an Experiment, in the order of their first exposures
    "firsts",
    metadata,
    Column("experiment", Integer, primary_key=True),
    Column("first_at", BigInteger, primary_key=True),
    Column("unit", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

outcomes = Table(  # of the few units that have too many for their history
    "outcomes",
    metadata,
    Column("model", Integer, primary_key=True),
    Column("unit", LargeBinary, primary_key=True),
    Column("metric", Integer, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("arrived", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

waiting = Table(  # units with outcomes that nobody has exposed yet, since when
    "waiting",
    metadata,
    Column("arrived", BigInteger, primary_key=True),
    Column("model", Integer, primary_key=True),
    Column("unit", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

unknown_metrics = Table(  # named in outcomes while an Experiment of the Model ran that does not declare them
    "unknown_metrics",
    metadata,
    Column("model", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),  # the last time, to the minute
)

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    UniqueConstraint("namespace", "model", "version", "digest", name="profiles_by_version"),
)

counts = Table(
    "counts",
    metadata,
    Column("profile", Integer, primary_key=True),
    Column("at", BigInteger, primary_key=True),  # begin of the window
    Column("rows", BigInteger, nullable=False),
    Column("columns", LargeBinary, nullable=False),  # JSON, compressed
    Index("counts_by_time", "at"),
)

senders = Table(
    "senders",
    metadata,
    Column("profile", Integer, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("senders_by_time", "at"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    UniqueConstraint("namespace", "model", "version", name="versions_by_name"),
)

answers = Table(  # of one version in one second
    "answers",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("second", BigInteger, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    *(Column(f"over_{bar}", BigInteger, nullable=False) for bar in SLOWER_THAN),
    Index("answers_by_time", "second"),
    sqlite_with_rowid=False,
)
