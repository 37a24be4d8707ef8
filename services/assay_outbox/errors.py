"""What an attempt to deliver ends with, when it does not succeed."""


class Rejected(Exception):  # noqa: N818 - it is what happened
    """The receiver will never take it; sending it again is no use."""


class Unavailable(Exception):  # noqa: N818 - nobody's fault: it will be tried again
    """The receiver did not acknowledge; sending the same again later may help, and does no harm."""
