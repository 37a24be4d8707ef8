"""The container images: built where inputs changed, loaded into a cluster, named for Helm.

An image is third-party packages (slow, changes with uv.lock) under our own code (fast, changes all day). The
first is built from images/Containerfile; the second is a layer put on top without a builder, in milliseconds.
"""
