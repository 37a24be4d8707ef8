"""A relay that is set up wrongly says what is wrong."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "ASSAY_OPERATOR_ADDRESS: Field required"),
        ({"ASSAY_OPERATOR_ADDRESS": "a:1", "ASSAY_PATIENCE_SECONDS": "0"}, "ASSAY_PATIENCE_SECONDS: Input"),
    ],
    ids=["without an operator", "without patience"],
)
def test_what_is_missing_or_wrong_is_named(given: dict[str, str], message: str) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    command = [sys.executable, "-m", "assay_relay"]
    done = subprocess.run(command, env=plain | given, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
