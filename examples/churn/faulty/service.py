"""The retention team's rules as a Bento of their own, with the kind of bug that only traffic finds.

`POST /predict` takes {"rows": [{column: value, ...}]} and answers {"predictions": ["yes"|"no", ...]}, as
Assay's own predictor does. The table of tariffs ends before area code 510: for those customers it raises,
and BentoML answers 500.
"""

from typing import Any

import bentoml

CENTS_PER_DAY_MINUTE = {"area_code_408": 17, "area_code_415": 17}
MANY_CALLS, MUCH_PER_DAY, LITTLE_PER_DAY = 4, 4500, 2750  # calls to customer service; cents
FEW_CALLS_ABROAD, LONG_ABROAD = 2, 13.1  # calls; minutes

Row = dict[str, Any]


def leaves(row: Row) -> bool:
    """Tell whether the rules expect this customer to leave."""
    daily: float = CENTS_PER_DAY_MINUTE[row["area_code"]] * row["total_day_minutes"]
    upset = row["number_customer_service_calls"] >= MANY_CALLS and daily < LITTLE_PER_DAY
    squeezed = daily > MUCH_PER_DAY and row["voice_mail_plan"] == "no"
    return any((upset, squeezed, row["international_plan"] == "yes" and misfit(row)))


def misfit(row: Row) -> bool:
    """Tell whether the international plan doesn't fit how this customer calls."""
    return any((row["total_intl_calls"] <= FEW_CALLS_ABROAD, row["total_intl_minutes"] > LONG_ABROAD))


@bentoml.service(
    workers=1, metrics={"enabled": False}, tracing={"excluded_urls": ".*"}, traffic={"timeout": 10}
)
class ChurnRules:
    """One process, no model file: the rules are the model."""

    @bentoml.api  # type: ignore[untyped-decorator]  # bentoml ships no types
    def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer yes or no for each row."""
        return {"predictions": ["yes" if leaves(row) else "no" for row in rows]}
