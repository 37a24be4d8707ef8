"""The held-out customers: who calls, with which row, and which label comes true later."""

import csv
from pathlib import Path
from typing import NamedTuple

KEY, LABEL = "customer_id", "churn"

Row = dict[str, str | int | float]


class Customer(NamedTuple):
    """One user of the demo."""

    id: str
    row: Row  # what the application knows when it asks, without key and label
    label: str  # what turns out later


def read(path: Path) -> tuple[Customer, ...]:
    """Read live.csv as `prepare.py` wrote it.

    Raises:
        KeyError: A column for the key or the label is missing.
    """
    with path.open(newline="") as lines:
        return tuple(_customer(dict(record)) for record in csv.DictReader(lines))


def _customer(record: dict[str, str]) -> Customer:
    key, label = record.pop(KEY), record.pop(LABEL)
    return Customer(key, {name: _value(text) for name, text in record.items()}, label)


def _value(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
