"""What a predictor shows to the collector: a token that is good for the profiles of one namespace only.

It is made of the installation's key, which never leaves the operator and the collector. So a namespace
that loses its token loses nothing but the honesty of its own profiles.
"""

import hmac


def badge(key: bytes, namespace: str) -> str:
    """Return the token of a namespace: HMAC-SHA256 under the key.

    >>> badge(b"key", "team-a") == badge(b"key", "team-b")
    False
    """
    return hmac.digest(key, f"assay profiles of {namespace}".encode(), "sha256").hex()
