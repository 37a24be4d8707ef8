"""The ledger: Experiments, their units, and the sums of their arms."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _names()
    _experiments()
    _sums()
    _events()
    clock = op.create_table(
        "clock", sa.Column("id", sa.Integer, primary_key=True), _number("revision", sa.BigInteger)
    )
    op.bulk_insert(clock, [{"id": 1, "revision": 0}])


def downgrade() -> None:
    """Drop every table."""
    for table in ("clock", "outcomes", "units", "exposures", "windows"):
        op.drop_table(table)
    for table in ("cells", "arms", "experiments", "metrics", "models"):
        op.drop_table(table)


def _number(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False)


def _key(name: str, kind: type[sa.types.TypeEngine[int]] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _names() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("namespace"),
        _text("name"),
        sa.UniqueConstraint("namespace", "name", name="models_by_name"),
    )
    op.create_table(
        "metrics",
        sa.Column("id", sa.Integer, primary_key=True),
        _number("model"),
        _text("name"),
        sa.UniqueConstraint("model", "name", name="metrics_by_name"),
    )


def _experiments() -> None:
    counts = ("audit_mismatches", "crossover_units", "bot_units", "duplicate_exposures", "orphan_outcomes")
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("uid"),
        _number("model"),
        _text("plan"),
        _text("slots"),
        _number("epoch"),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("folded", sa.Boolean, nullable=False),
        _number("created_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        _number("revision", sa.BigInteger),
        sa.Column("last_exposure_at", sa.BigInteger),
        sa.Column("last_ingest_at", sa.BigInteger),
        *(_number(name, sa.BigInteger) for name in (*counts, "late_outcomes")),
        sa.UniqueConstraint("uid", name="experiments_by_uid"),
    )
    op.create_index("experiments_by_model", "experiments", ["model"])
    op.create_index("experiments_by_revision", "experiments", ["revision"])


def _sums() -> None:
    op.create_table(
        "arms",
        _key("experiment"),
        _key("arm", sa.SmallInteger),
        _number("units", sa.BigInteger),
        _number("exposures", sa.BigInteger),
    )
    op.create_table(
        "cells",
        _key("experiment"),
        _key("arm", sa.SmallInteger),
        _key("metric", sa.SmallInteger),
        _number("n", sa.BigInteger),
        _text("total"),
        _text("squares"),
    )
    op.create_table(
        "windows",
        _key("experiment"),
        _key("metric", sa.SmallInteger),
        _number("closed_until", sa.BigInteger),
    )


def _events() -> None:
    op.create_table(
        "exposures",
        _key("experiment"),
        _key("at", sa.BigInteger),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "units",
        _key("experiment"),
        sa.Column("unit", sa.LargeBinary, primary_key=True),
        _number("arm", sa.SmallInteger),
        _number("first_at", sa.BigInteger),
        _number("epoch"),
        _number("exposures", sa.BigInteger),
        _number("excluded", sa.SmallInteger),
        _text("marks"),
        sqlite_with_rowid=False,
    )
    op.create_index("units_by_first_exposure", "units", ["experiment", "first_at"])
    op.create_table(
        "outcomes",
        _key("model"),
        sa.Column("unit", sa.LargeBinary, primary_key=True),
        _key("metric"),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        _number("at", sa.BigInteger),
        sa.Column("value", sa.Double, nullable=False),
        _number("arrived", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("outcomes_by_arrival", "outcomes", ["arrived"])
