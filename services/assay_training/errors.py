"""What ends a training Job, as a reason for machines and a message for people."""


class JobError(Exception):
    """The job cannot go on, and only a change of the spec or of the data helps.

    Args:
        reason: One CamelCase word, used as the reason of a condition.
        message: What is wrong, where, and what to do about it.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Say why, for both."""
        super().__init__(message)
        self.reason = reason
        self.message = message
