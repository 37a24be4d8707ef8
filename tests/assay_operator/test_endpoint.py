"""Names and addresses that are Kubernetes' own work: a Model's alias, and the Services behind its route."""

import pytest
from operated import CHURN, World, two_versions

from assay_operator.gateway import Endpoint


async def test_the_name_of_a_model_is_an_alias_of_the_gateways(world: World) -> None:
    await two_versions(world)
    service = world.cluster.bodies["Service", "churn"]
    assert service["spec"] == {
        "type": "ExternalName",
        "externalName": "assay-gateway.assay-system.svc.cluster.local",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    }
    slices = [name for kind, name in world.cluster.bodies if kind == "EndpointSlice"]
    assert "churn-gateway" not in slices, "nothing that only the operator could keep true"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        pytest.param("10.96.0.9", Endpoint("10.96.0.9", 80), id="one that the API server gave it"),
        pytest.param("fd00::9", Endpoint("fd00::9", 80), id="the same in the other family"),
        pytest.param("None", None, id="headless, by somebody's hand"),
        pytest.param("", None, id="none yet"),
    ],
)
async def test_a_version_is_reached_at_the_address_of_its_service_too(
    world: World, address: str, found: Endpoint | None
) -> None:
    await two_versions(world)
    world.put("Service", "churn-2-predictor", spec={"clusterIP": address})
    world.answers("churn-2")
    await world.settle()
    split = world.gateways.routes[CHURN].split
    assert split is not None
    assert [arm.backend.service for arm in split.arms] == [None, found]
