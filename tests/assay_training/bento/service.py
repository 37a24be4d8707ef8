"""A user's Bento for the tests of gates: rules as its model, and one path for each way to answer."""

from typing import Any

import bentoml
from churn_rules import leaves

Row = dict[str, Any]
Rows = list[Row]


def answer(row: Row) -> Row:
    """Return the answer for a customer, as a predictor would."""
    likely = leaves(row)
    return {"label": "yes" if likely >= 0.5 else "no", "probabilities": {"yes": likely, "no": 1 - likely}}


@bentoml.service(
    workers=1, metrics={"enabled": False}, tracing={"excluded_urls": ".*"}, traffic={"timeout": 10}
)
class Rules:
    """One process, no model file."""

    @bentoml.api  # type: ignore[untyped-decorator]  # bentoml ships no types
    def predict(self, rows: Rows) -> dict[str, Any]:
        """Answer with probabilities; a row that shows key or answer is a leak, and fails."""
        if any({"customer_id", "churn"} & row.keys() for row in rows):
            raise ValueError("I must not see this")
        return {"predictions": [answer(row) for row in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def labels(self, rows: Rows) -> dict[str, Any]:
        """Answer with labels alone."""
        return {"predictions": [{"label": answer(row)["label"]} for row in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def minutes(self, rows: Rows) -> dict[str, Any]:
        """Answer with a number."""
        return {"predictions": [{"value": 200 + row["number_customer_service_calls"]} for row in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def abroad(self, rows: Rows) -> dict[str, Any]:
        """Fail for customers with the international plan."""
        if any(row["international_plan"] == "yes" for row in rows):
            raise ValueError("abroad")
        return {"predictions": [answer(row) for row in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def shouts(self, rows: Rows) -> dict[str, Any]:
        """Answer with labels that the data does not have."""
        return {"predictions": [{"label": answer(row)["label"].upper()} for row in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def unsure(self, rows: Rows) -> dict[str, Any]:
        """Answer with probabilities that are none."""
        return {"predictions": [{"label": "no", "probabilities": {"yes": 0.9, "no": 0.9}} for _ in rows]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def first(self, rows: Rows) -> dict[str, Any]:
        """Answer for the first row only."""
        return {"predictions": [answer(rows[0])]}

    @bentoml.api  # type: ignore[untyped-decorator]
    def bare(self, rows: Rows) -> list[str]:
        """Answer with a list."""
        return [answer(row)["label"] for row in rows]
