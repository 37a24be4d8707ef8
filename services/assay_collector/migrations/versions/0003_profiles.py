"""Counts on the cells of versions' profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "profiles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.UniqueConstraint("namespace", "model", "version", "digest", name="profiles_by_version"),
    )
    op.create_table(
        "counts",
        sa.Column("profile", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.LargeBinary, nullable=False),
    )
    op.create_index("counts_by_time", "counts", ["at"])
    op.create_table(
        "senders",
        sa.Column("profile", sa.Integer, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("senders_by_time", "senders", ["at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("senders", "counts", "profiles"):
        op.drop_table(table)
