"""Last of all: what the operator was refused in the whole run."""

from cluster_fixture import ClusterFixture


def test_the_operator_was_never_refused_anything(cluster: ClusterFixture) -> None:
    """Its ServiceAccount has what it needs, under exactly the chart's roles."""
    cluster.read_operator_log()
    assert cluster.forbidden == []
