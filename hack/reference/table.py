"""Tables in Markdown."""

from collections.abc import Iterable


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; a bar or a line break in a cell does not end it.

    >>> print(table(["field", "allowed"], [["spec.x", "a|b"]]), end="")
    | field | allowed |
    |---|---|
    | spec.x | a\\|b |
    """
    head = list(columns)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(_line(cells, "|" if cells is lines[1] else " | ") for cells in lines)


def _line(cells: Iterable[str], between: str) -> str:
    if between == "|":
        return f"|{'|'.join(cells)}|\n"
    return f"| {between.join(_cell(text) for text in cells)} |\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def code(text: str) -> str:
    """Return it as code; nothing stays nothing.

    >>> code("a"), code("")
    ('`a`', '')
    """
    return f"`{text}`" if text else ""
