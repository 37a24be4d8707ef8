"""The models of `churn.py` as a fixture, as test folders are on no import path."""

import importlib.util
import io
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _module(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def churn() -> Any:
    return _module("churn")


@pytest.fixture
def artifact(churn: Any, tmp_path: Path) -> Any:
    return churn.written(tmp_path / "store")


@pytest.fixture(scope="session")
def bomb() -> bytes:
    """A file that unpacks to a thousand times its size."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (100 << 20))
    return buffer.getvalue()
