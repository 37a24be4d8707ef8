"""Bearer tokens in files that may change at any time: Secrets are rotated in place, without a restart."""


def first_token(text: str) -> str:
    r"""Return the token of the first line; those on further lines are on their way in or out.

    >>> first_token("new\nold\n"), first_token("\n")
    ('new', '')
    """
    return text.strip().partition("\n")[0].strip()
