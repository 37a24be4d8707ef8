"""Counts of the gateways' answers, by version and second."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BARS = ("10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "20s")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.UniqueConstraint("namespace", "model", "version", name="versions_by_name"),
    )
    op.create_table(
        "answers",
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("second", sa.BigInteger, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        *(sa.Column(f"over_{bar}", sa.BigInteger, nullable=False) for bar in BARS),
        sqlite_with_rowid=False,
    )
    op.create_index("answers_by_time", "answers", ["second"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("answers")
    op.drop_table("versions")
