"""Counts of how late outcomes come, from which the age is learned at which a unit is judged."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables; Experiments that were declared before have no lag to learn."""
    for table, keys in (("arrivals", ("cell",)), ("delays", ("metric", "cell"))):
        op.create_table(
            table,
            sa.Column("experiment", sa.Integer, primary_key=True, autoincrement=False),
            *(sa.Column(key, sa.SmallInteger, primary_key=True, autoincrement=False) for key in keys),
            sa.Column("n", sa.BigInteger, nullable=False),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("delays")
    op.drop_table("arrivals")
