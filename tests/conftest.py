"""Tests that take long are marked by where they are: kills, trainings, simulations, real clusters."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are new at a desk and the same in CI, where a failure is then the change's. No deadlines: machines
# are busy.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

HERE = Path(__file__).parent
SLOW = {
    "assay_artifact/test_plan.py",
    "assay_collector/test_hardships.py",
    "assay_collector/test_kill.py",
    "assay_collector/test_recount.py",
    "assay_serving/test_loading.py",
    "assay_serving/test_process.py",
    "assay_serving/test_v2.py",
    "assay_shipper/test_kill.py",
    "assay_training/test_formats.py",
    "assay_training/test_job.py",
    "assay_training/test_judgement.py",
    "assay_training/test_process.py",
    "assay_training/test_real_data.py",
    "assay_training/test_study.py",
    "chart/test_objects.py",
    "chart/test_values.py",
    "demo/test_power.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them: `make check` leaves them out, `make test` does not."""
    for item in items:
        if item.path.is_relative_to(HERE) and str(item.path.relative_to(HERE)) in SLOW:
            item.add_marker(pytest.mark.slow)
