"""The one error that an artifact can raise, with a word for machines and a sentence for people."""

from collections.abc import Iterator
from contextlib import contextmanager


class ArtifactError(RuntimeError):
    """The artifact must not be used.

    Attributes:
        reason: A CamelCase word, fit for a condition in a status.
        message: What is wrong, where, and what was expected.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Say why, twice."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@contextmanager
def reading(name: str, form: str) -> Iterator[None]:
    """Tell of whatever a reader of files from outside may raise as of a file that can't be read.

    Raises:
        ArtifactError: ReaderMissing, Unreadable, or what the reader itself says.
    """
    try:
        yield
    except ArtifactError:
        raise
    except ImportError as error:
        raise ArtifactError("ReaderMissing", f"this image can't read {form}: {error}") from error
    except StopIteration as error:  # as a cause it would look like the end of this generator
        raise _unreadable(name, form, error) from None
    except Exception as error:  # a file from outside may break its reader in any way
        raise _unreadable(name, form, error) from error


def _unreadable(name: str, form: str, error: Exception) -> ArtifactError:
    problem = f"{name} is no readable {form} file: {type(error).__name__}: {error}"
    return ArtifactError("Unreadable", problem[:1000])
