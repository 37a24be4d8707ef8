"""The jobs: train a version, or evaluate one that was made elsewhere; workers, record and report."""
