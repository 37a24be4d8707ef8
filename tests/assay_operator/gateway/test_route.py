from typing import Any

import pytest

from assay_assign import Interval, table
from assay_operator.gateway import ArmRoute, Backend, Endpoint, ModelRoute, Shadow, Split

ARMS = (ArmRoute("control", Backend("churn-1")), ArmRoute("boosted", Backend("churn-2")))
GOOD: dict[str, Any] = {
    "uid": "0b7c3a52-54c5-4c26-8e46-1c7f61f0e6a1",
    "epoch": 1,
    "header": "x-user-id",
    "arms": ARMS,
    "table": table({"control": 50, "boosted": 50}, 5),
}


def test_a_split_is_what_it_was_given() -> None:
    assert Split(**GOOD).arms == ARMS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"uid": "a\\1"}, "uid", id="a salt that RE2 would expand"),
        pytest.param({"uid": ""}, "uid", id="no salt"),
        pytest.param({"header": "x user"}, "header", id="a header with a space"),
        pytest.param({"header": "x-user%"}, "header", id="a header that breaks a format"),
        pytest.param({"header": "X-Assay-Arm"}, "gateway owns", id="a header that the gateway strips"),
        pytest.param({"arms": (ARMS[0], ARMS[0])}, "distinct", id="an arm twice"),
        pytest.param({"arms": (ArmRoute("none", Backend("1")),)}, "reserved", id="a word of the log"),
        pytest.param({"arms": (ArmRoute("a,b", Backend("1")),)}, "plain", id="an arm that breaks the table"),
        pytest.param({"table": (Interval("boosted", 5, 4),)}, "ascending", id="an interval backwards"),
        pytest.param({"table": (Interval("boosted", 9_000, 10_001),)}, "10000", id="more than all slots"),
        pytest.param(
            {"table": (Interval("control", 0, 10), Interval("boosted", 9, 20))}, "ascending", id="an overlap"
        ),
        pytest.param({"table": (Interval("stranger", 0, 10),)}, "stranger", id="an arm that is not there"),
    ],
)
def test_a_split_that_envoy_would_misread_is_refused_here(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Split(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("address", "port"), [("churn-1.demo.svc", 3000), ("10.0.0.1", 0), ("10.0.0.1", 65_536)]
)
def test_an_endpoint_is_an_ip_address_with_a_port(address: str, port: int) -> None:
    with pytest.raises(ValueError, match=f"{address or port}"):
        Backend("churn-1", (Endpoint(address, port),))
    with pytest.raises(ValueError, match=f"{address or port}"):
        Backend("churn-1", (), Endpoint(address, port))


def test_a_timeout_is_above_zero() -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        ModelRoute("demo", "churn", Backend("churn-1"), timeout_seconds=0)


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_shadow_gets_a_share_that_is_one(percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        Shadow(Backend("churn-2"), percent)
