"""What a predictor shows to the collector: a token that is good for the profiles of one namespace only.

It is made of the installation's key, which never leaves the operator and the collector. So a namespace
that loses its token loses nothing but the honesty of its own profiles.
"""

import hmac


def predictor_token(key: bytes, namespace: str) -> str:
    """Return the token of a namespace: its name, and HMAC-SHA256 of it under the key.

    >>> predictor_token(b"key", "team-a").partition(".")[0]
    'team-a'
    """
    return f"{namespace}.{hmac.digest(key, f'assay profiles of {namespace}'.encode(), 'sha256').hex()}"


def holder(key: bytes, token: str) -> str | None:
    """Return the namespace that a token was made for; None if it is no token of ours, or there is no key."""
    namespace = token.partition(".")[0]
    genuine = bool(key) and hmac.compare_digest(predictor_token(key, namespace).encode(), token.encode())
    return namespace if genuine else None
