"""Threads of BLAS and OpenMP follow the CPU limit of the container; set before numpy is imported."""

import os
from collections.abc import MutableMapping
from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CGROUP = Path("/sys/fs/cgroup/cpu.max")


def limit(quota: str, cores: int) -> int:
    """Whole cores that a cgroup's `cpu.max` allows, at least one, at most all.

    >>> limit("150000 100000", cores=8), limit("max 100000", cores=8), limit("20000 100000", cores=8)
    (1, 8, 1)
    """
    allowed, _, period = quota.partition(" ")
    if not allowed.isdigit() or not period.strip().isdigit():
        return cores
    return max(1, min(cores, int(allowed) // int(period)))


def follow_cpu_limit(
    environment: MutableMapping[str, str] = os.environ, cgroup: Path = CGROUP, workers: int = 1
) -> None:
    """Set what nobody has set, for each of the `workers` that share the limit."""
    cores = len(os.sched_getaffinity(0))
    quota = cgroup.read_text() if cgroup.is_file() else "max"
    for name in VARIABLES:
        environment.setdefault(name, str(max(1, limit(quota, cores) // workers)))
