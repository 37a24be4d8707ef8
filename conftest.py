"""What is collected: doctests only of modules that have some. Every worker of a run collects for itself."""

from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Leave out doctests of modules that have none: to find none in them takes longer than to read them."""
    found = yield
    if any(isinstance(each, DoctestModule) for each in found) and ">>> " not in file_path.read_text():
        return [each for each in found if not isinstance(each, DoctestModule)]
    return found
