"""A model card as Markdown, and as one HTML file that needs nothing else: no script, no font, no network."""

from html import escape

from assay_training.reporting.card import HTML, MARKDOWN, Row, Story, Table, sections, title
from assay_training.reporting.plots import Plots, drawn
from assay_training.reporting.previous import PreviousVersion

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{border-bottom:1px solid #ddd;"
    "padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "svg{margin:0 1rem 1rem 0}"
)


def cards(story: Story, past: PreviousVersion, plots: Plots) -> dict[str, bytes]:
    """Both forms of the card, by the name of their file; equal stories have equal cards."""
    parts = list(sections(story, past))
    return {MARKDOWN: _markdown(story, parts).encode(), HTML: _html(story, parts, plots).encode()}


def _markdown(story: Story, parts: list[tuple[str, Table | str]]) -> str:
    lines = [f"# {title(story)}", ""]
    for name, content in parts:
        lines += [f"## {name}", ""]
        lines += [content] if isinstance(content, str) else _rows(content)
        lines.append("")
    return "\n".join(lines)


def _rows(table: Table) -> list[str]:
    head, rows = table
    return [_row(head), _row(("---",) * len(head)), *map(_row, rows)]


def _row(cells: Row) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _html(story: Story, parts: list[tuple[str, Table | str]], plots: Plots) -> str:
    name = escape(title(story))
    body = [f"<h1>{name}</h1>"]
    for heading, content in parts:
        body += [f"<h2>{escape(heading)}</h2>", _shown(content)]
        body += [drawn(plot) for plot in plots.get(heading, ())]
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    )
    return head + "\n".join(body) + "</html>\n"


def _shown(content: Table | str) -> str:
    if isinstance(content, str):
        return f"<p>{escape(content)}</p>"
    head, rows = content
    body = "".join(_cells(row, "td") for row in rows)
    return f"<table>{_cells(head, 'th')}{body}</table>"


def _cells(row: Row, tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
