"""Settings from environment variables that start with ASSAY_; what is wrong is named by its variable."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

PREFIX = "ASSAY_"
WRONG_SETTINGS = 2  # exit code


def _level(name: str) -> str:
    if name.upper() not in (levels := logging.getLevelNamesMapping()):
        raise ValueError(f"{name[:40]!r} is none of {', '.join(levels)}")
    return name.upper()


Url = Annotated[str, StringConstraints(pattern=r"^https?://")]
LogLevel = Annotated[str, AfterValidator(_level)]


class Settings(BaseModel):
    """Base of a process's settings: the field `listen_port` is read from ASSAY_LISTEN_PORT."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; an empty variable counts as absent, others than the fields' are ignored.

        Raises:
            pydantic.ValidationError: Something is missing or wrong.
        """
        names = {PREFIX + name.upper(): name for name in cls.model_fields}
        present = {names[key]: value for key, value in environment.items() if key in names and value}
        return cls.model_validate(present)


S = TypeVar("S", bound=Settings)


def settings_or_exit(kind: type[S], environment: Mapping[str, str] = os.environ) -> S:
    """Read the settings of this process.

    Raises:
        SystemExit: With code 2, after a line on standard error for each variable that is missing or wrong.
    """
    try:
        return kind.from_environment(environment)
    except ValidationError as error:
        for line in problems(error):
            print(line, file=sys.stderr)
        raise SystemExit(WRONG_SETTINGS) from error


def problems(error: ValidationError) -> list[str]:
    """Return a line for each variable; values are left out, as they may be secrets."""
    found = error.errors(include_input=False, include_url=False)
    return [f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}" for each in found]
