"""Pure builders: typed values in, Kubernetes objects out."""

from typing import Any

Manifest = dict[str, Any]
