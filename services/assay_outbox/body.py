"""Records as a request's body: one JSON object a line, packed where that is worth it."""

import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

WORTH_PACKING = 8_192  # bytes


def ndjson(records: Iterable[Mapping[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers."""
    body = "\n".join(json.dumps(record, separators=(",", ":")) for record in records).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    if len(body) > WORTH_PACKING:
        return gzip.compress(body, compresslevel=1), headers | {"Content-Encoding": "gzip"}
    return body, headers
