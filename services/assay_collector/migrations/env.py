"""Run by Alembic: upgrades over the connection that `store.engine` hands in."""

from alembic import context

from assay_collector.store.schema import metadata


def run() -> None:
    """Upgrade."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name that Alembic gives it; to everybody else it is a module like others
    run()
