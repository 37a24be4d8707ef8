"""One row for all that is known of a unit, where there were a row for each Experiment and each outcome."""

from collections import defaultdict
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

STEP = 1_000
KEPT = 16


def upgrade() -> None:
    """Create the tables, move what is there, and drop what it was in."""
    op.rename_table("outcomes", "outcomes_3")
    op.rename_table("windows", "windows_3")
    op.drop_index("outcomes_by_arrival", "outcomes_3")
    _create()
    _move(op.get_bind())
    op.execute("INSERT INTO firsts SELECT experiment, first_at, unit FROM units")
    _measure(op.get_bind())
    for table in ("outcomes_3", "windows_3", "units", "cursors"):
        op.drop_table(table)


def downgrade() -> None:
    """Refuse."""
    raise NotImplementedError("histories are not taken apart again")


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, primary_key=True)


def _key(name: str, kind: type[sa.types.TypeEngine[int]] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _create() -> None:
    state = sa.Column("state", sa.LargeBinary, nullable=False)
    op.create_table("histories", _key("model"), _blob("unit"), state, sqlite_with_rowid=False)
    if op.get_bind().dialect.name == "postgresql":  # room for the next state of a row beside the last one
        op.execute("ALTER TABLE histories SET (fillfactor = 70)")
    first = _key("first_at", sa.BigInteger)
    op.create_table("firsts", _key("experiment"), first, _blob("unit"), sqlite_with_rowid=False)
    arrived = _key("arrived", sa.BigInteger)
    op.create_table("waiting", arrived, _key("model"), _blob("unit"), sqlite_with_rowid=False)
    op.create_table(
        "windows",
        _key("experiment"),
        _key("metric", sa.SmallInteger),
        sa.Column("closed_until", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outcomes",
        _key("model"),
        _blob("unit"),
        _key("metric"),
        _blob("key"),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("arrived", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _measure(bind: sa.Connection) -> None:
    """Write down the length of each window, which was in the plan only."""
    plans = bind.execute(sa.text("SELECT id, plan FROM experiments")).all()
    metrics = {number: msgspec.json.decode(plan)["metrics"] for number, plan in plans}
    for row in bind.execute(sa.text("SELECT experiment, metric, closed_until FROM windows_3")).all():
        length = metrics[row.experiment][row.metric]["window"]
        values = {"experiment": row.experiment, "metric": row.metric, "until": row.closed_until}
        bind.execute(
            sa.text("INSERT INTO windows VALUES (:experiment, :metric, :until, :length)"),
            {**values, "length": length},
        )


def _move(bind: sa.Connection) -> None:
    for model in bind.execute(sa.text("SELECT id FROM models")).scalars().all():
        everybody = bind.execute(_EVERYBODY, {"model": model}, execution_options={"stream_results": True})
        for names in everybody.scalars().partitions(STEP):
            _move_some(bind, model, [bytes(name) for name in names])


def _move_some(bind: sa.Connection, model: int, names: list[bytes]) -> None:
    parameters = {"model": model, "names": names}
    units: dict[bytes, dict[int, Any]] = defaultdict(dict)
    for row in bind.execute(_UNITS, parameters):
        marks = msgspec.json.decode(row.marks)
        unit = [row.arm, row.first_at, row.epoch, row.exposures, row.excluded, marks]
        units[bytes(row.unit)][row.experiment] = unit
    outcomes: dict[bytes, list[Any]] = defaultdict(list)
    for row in bind.execute(_OUTCOMES, parameters):
        outcomes[bytes(row.unit)].append([row.metric, bytes(row.key), row.at, row.value, row.arrived])
    many = {name for name in names if len(outcomes[name]) > KEPT}
    states = {name: [units[name], [] if name in many else outcomes[name], name in many] for name in names}
    rows = [{"model": model, "unit": name, "state": msgspec.msgpack.encode(states[name])} for name in names]
    bind.execute(sa.text("INSERT INTO histories VALUES (:model, :unit, :state)"), rows)
    if many:
        bind.execute(_SPILL, {"model": model, "names": list(many)})
    waiting = [
        {"arrived": min(outcome[-1] for outcome in outcomes[name]), "model": model, "unit": name}
        for name in names
        if not units[name]
    ]
    if waiting:
        bind.execute(sa.text("INSERT INTO waiting VALUES (:arrived, :model, :unit)"), waiting)


def _of_some(statement: str) -> sa.TextClause:
    return sa.text(statement).bindparams(sa.bindparam("names", expanding=True))


_ENROLLED = "units JOIN experiments e ON e.id = units.experiment WHERE e.model = :model"
_EVERYBODY = sa.text(
    f"SELECT unit FROM {_ENROLLED} UNION SELECT unit FROM outcomes_3 WHERE model = :model ORDER BY unit"
)
_UNITS = _of_some(f"SELECT units.* FROM {_ENROLLED} AND unit IN :names")
_OUTCOMES = _of_some("SELECT * FROM outcomes_3 WHERE model = :model AND unit IN :names")
_SPILL = _of_some("INSERT INTO outcomes SELECT * FROM outcomes_3 WHERE model = :model AND unit IN :names")
