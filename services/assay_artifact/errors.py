"""The one error that an artifact can raise, with a word for machines and a sentence for people."""


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
