"""Last of all: what the operator was refused in the whole run."""

from town import Town


def test_the_operator_was_never_refused_anything(town: Town) -> None:
    """Its ServiceAccount has what it needs, under exactly the chart's roles."""
    town.read_operator_log()
    assert town.forbidden == []
