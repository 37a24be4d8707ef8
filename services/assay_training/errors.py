"""What ends a training Job, as a reason for machines and a message for people."""


class JobError(Exception):
    """The job cannot go on; unless it may pass, only a change of the spec or of the data helps.

    Args:
        reason: One CamelCase word, used as the reason of a condition.
        message: What is wrong, where, and what to do about it.
        passing: Whether the same job may succeed later: something did not answer.
    """

    def __init__(self, reason: str, message: str, *, passing: bool = False) -> None:
        """Say why, for both."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.passing = passing
