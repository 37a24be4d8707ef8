"""A real Kubernetes for tests and the demo: the current one, kind, or a single node built from Go modules.

Run as `PYTHONPATH=hack python3 -m cluster up NAME` (the Makefile does). Standard library only: this code runs
on a fresh machine before anything is installed.
"""
