"""`lab.py` as a fixture, as test folders are on no import path; and a gateway that runs."""

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def lab() -> Any:
    name = "gateway_lab"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("lab.py"))
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
async def gateway(lab: Any, tmp_path: Path) -> AsyncIterator[Any]:
    async with lab.gateway(tmp_path, linger=0.2) as running:
        yield running


@pytest.fixture
async def servers(lab: Any) -> AsyncIterator[Any]:
    """Model servers of versions v1 and v2."""
    async with lab.models("v1", "v2") as running:
        yield running
