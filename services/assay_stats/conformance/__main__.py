"""`python -m assay_stats.conformance FILE...`: run reference cases, print failures, count, exit."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay_stats.conformance import evaluate
from assay_stats.conformance.compare import Failure, failures
from assay_stats.conformance.fields import Fields

Case = Mapping[str, Any]


def check(case: Case, cases: Mapping[str, Case]) -> list[Failure]:
    """Return what is wrong with one case; whatever hinders it is a failure too.

    Args:
        case: The case.
        cases: All of its file by id, for inputs written as "as <id>".
    """
    try:
        expected, family, given = case["expected"], case["family"], _resolved(case["input"], cases)
        if family == "confseq":  # the arguments alone do not tell the boundary
            given = {"function": case["id"]} | given
        if not expected:
            return [Failure("expected", "values to compare", "none", "an answer")]
        fields = Fields(given)
        got = evaluate(family, fields, expected)
    except (ArithmeticError, AttributeError, IndexError, LookupError, TypeError, ValueError) as error:
        return [Failure("case", "an answer", f"{type(error).__name__}: {error}", "an answer")]
    unused = [Failure(f"input.{name}", "a field that is used", "ignored", "use") for name in fields.unread()]
    return unused + failures(expected, got, case.get("tolerance") or {})


def _resolved(given: Mapping[str, Any], cases: Mapping[str, Case]) -> dict[str, Any]:
    """Return the input with "data": "as <id>" replaced by that case's input."""
    reference = given.get("data")
    if isinstance(reference, str) and reference.startswith("as "):
        own = {name: value for name, value in given.items() if name != "data"}
        return {**cases[reference.removeprefix("as ")]["input"], **own}
    return dict(given)


def run(path: Path) -> tuple[int, int]:
    """Run a file's cases, print its failures, and return how many passed and failed."""
    try:
        cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"{path}: cannot be read: {error}")
        return 0, 1
    by_id = {str(case.get("id")): case for case in cases}
    failed = sum(_report(case, check(case, by_id)) for case in cases)
    return len(cases) - failed, failed


def _report(case: Case, found: Iterable[Failure]) -> bool:
    wrong = list(found)
    for failure in wrong:
        print(
            f"FAIL {case.get('id')} ({case.get('family')}) {failure.key}: "
            f"expected {failure.expected}, got {failure.got}, tolerance {failure.tolerance}"
        )
    return bool(wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the files; 0 if every case passed."""
    parser = argparse.ArgumentParser(prog="python -m assay_stats.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    counts = [run(path) for path in parser.parse_args(arguments).files]
    passed, failed = (sum(column) for column in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
