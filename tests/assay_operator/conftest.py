"""The world in memory, for every test of this folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from operated import World


@pytest.fixture
def world() -> World:
    return World()
