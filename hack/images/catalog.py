"""What is in each image: the extra of pyproject.toml it installs, and the package of ours it runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.settings import REPOSITORY

REGISTRY = os.environ.get("ASSAY_REGISTRY", "localhost").rstrip("/")
"""`localhost` for clusters that images are loaded into; a real one for `ASSAY_CLUSTER=current`."""
PYTHON = (3, 11)
SITE_PACKAGES = "opt/assay/lib/python3.11/site-packages"


@dataclass(frozen=True)
class Image:
    """One target of images/Containerfile.

    Attributes:
        name: target and part of the reference.
        extra: of pyproject.toml; its third-party packages are installed.
        package: the process's own; what it imports of ours comes along. None: no code of ours.
        beside: packages of other processes that start from the same image.
        prune: packages of the project itself that this process does not need.
    """

    name: str
    extra: str
    package: str | None
    prune: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def repository(self) -> str:
        """The reference without its tag."""
        return f"{REGISTRY}/assay-{self.name}"


CATALOG = (
    Image("operator", "operator", "assay_operator"),
    Image("gateway", "gateway", None, prune=("pydantic",)),
    Image("shipper", "shipper", "assay_shipper", beside=("assay_relay",)),
    Image("collector", "collector", "assay_collector"),
    Image("predictor", "serving", "assay_serving"),
    Image("trainer", "training", "assay_training"),
)
BY_NAME: Mapping[str, Image] = {image.name: image for image in CATALOG}


def choose(names: list[str]) -> tuple[Image, ...]:
    """The named images, or all.

    Raises:
        ValueError: there is none of this name.
    """
    if unknown := sorted(set(names) - BY_NAME.keys()):
        raise ValueError(f"no image {', '.join(unknown)}: there are {', '.join(BY_NAME)}")
    return tuple(BY_NAME[name] for name in names) or CATALOG


def folder(package: str) -> str:
    """Where a package of ours lives, relative to the repository.

    Raises:
        ValueError: nowhere.
    """
    for root in ("operator", "services"):
        if (REPOSITORY / root / package).is_dir():
            return f"{root}/{package}"
    raise ValueError(f"there is no package {package} in operator/ or services/")
