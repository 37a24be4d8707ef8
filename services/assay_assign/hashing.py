"""From a unit to its slot, and from a unit to the name it has outside the gateway."""

from hashlib import blake2b

import xxhash

from assay_assign.layer import SLOTS


def slot(salt: str, unit: str) -> int:
    """Return the slot of `unit`, in [0, 10000): `xxh64(salt + ":" + unit, seed 0) mod 10000`.

    Envoy computes the very same number, as it hashes the header after prefixing it with the salt.

    Args:
        salt: The UID of the Experiment, so that two Experiments split independently; the layer's in a layer.
        unit: The value of the unit header, as the caller sent it.

    >>> slot("exp-1", "user-42")
    8343
    """
    return xxhash.xxh64_intdigest(f"{salt}:{unit}".encode(), seed=0) % SLOTS


def pseudonym(key: bytes, unit: str) -> str:
    """Return the name by which `unit` is known outside the gateway: 32 hex digits of keyed BLAKE2b.

    Without the key (at most 64 bytes) nobody can tell whose it is, nor test a guess.

    >>> pseudonym(b"secret", "user-42")
    '213e8cf7a09e3c71ae51d7e4b95ecf62'
    """
    return blake2b(unit.encode(), key=key, digest_size=16).hexdigest()
