"""The retention team's rules: who leaves, without any training. Their tariffs end before area code 510."""

from typing import Any

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
