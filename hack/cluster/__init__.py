"""A real Kubernetes for tests and the demo: the current one, kind, or a single node built from Go modules.

Run as `PYTHONPATH=hack python3 -m cluster up NAME` (the Makefile does). Standard library only: this code runs
on a fresh machine before anything is installed.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the one line that an older Python reads to the end
    sys.exit("error: hack/ needs Python 3.11 or newer as python3; put one first in PATH")
