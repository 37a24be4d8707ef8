"""The retention team's rules as a Bento of their own, with the kind of bug that only traffic finds.

`POST /predict` takes {"rows": [{column: value, ...}]} and answers {"predictions": [{"label": "yes"}, ...]},
as Assay's own predictor does. For customers in area code 510 the rules raise, and BentoML answers 500.
"""

from typing import Any

import bentoml
from rules import leaves


@bentoml.service(
    workers=1, metrics={"enabled": False}, tracing={"excluded_urls": ".*"}, traffic={"timeout": 10}
)
class ChurnRules:
    """One process, no model file: the rules are the model."""

    @bentoml.api  # type: ignore[untyped-decorator]  # bentoml ships no types
    def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer yes or no for each row."""
        return {"predictions": [{"label": "yes" if leaves(row) else "no"} for row in rows]}
