"""One line of log a record, alike in every process."""

import logging
from collections.abc import Iterable

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(level: str, quiet: Iterable[str] = ()) -> None:
    """Log to standard error from `level` on; of the loggers named in `quiet` only warnings and worse."""
    logging.basicConfig(level=level.upper(), format=FORMAT)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)
