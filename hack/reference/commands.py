"""The page of the command line: from its parsers."""

from argparse import SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from assay_cli.main import parser
from reference.table import code, table

HEAD = """\
# Commands

Made by `make generate` from `assay --help`; [the guide](../guides/commands.md) says when to use which.
`kubectl assay` is the same program. Exit status 0 is success, 2 is for arguments or data that cannot be used.
"""
COLUMNS = ("argument", "default", "meaning")
OF_THE_MACHINE = {"cores": "all of this machine"}  # defaults that are not the same everywhere


def commands() -> str:
    """Return the page: a section for each command, in the order of `assay --help`."""
    return HEAD + "".join(_section(name, about, each) for name, about, each in _commands())


def _commands() -> Iterator[tuple[str, str, ArgumentParser]]:
    for action in parser()._actions:
        if isinstance(action, _SubParsersAction):
            about = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, each in action.choices.items():
                yield name, about.get(name, ""), each


def _section(name: str, about: str, command: ArgumentParser) -> str:
    shown = [action for action in command._actions if action.dest != "help" and action.help != SUPPRESS]
    rows = ([code(_usage(action)), _default(action), _meaning(action)] for action in shown)
    return f"\n## assay {name}\n\n{about[:1].upper()}{about[1:]}.\n\n{table(COLUMNS, rows)}"


def _usage(action: Action) -> str:
    value = str(action.metavar or action.dest)
    if not action.option_strings:
        return value
    flags = ", ".join(action.option_strings)
    return flags if action.nargs == 0 else f"{flags} {value.upper() if action.metavar is None else value}"


def _default(action: Action) -> str:
    if action.required:
        return "required"
    if action.dest in OF_THE_MACHINE:
        return OF_THE_MACHINE[action.dest]
    return "" if action.default in (None, False, SUPPRESS) or action.nargs == 0 else code(str(action.default))


def _meaning(action: Action) -> str:
    choices = f" One of {', '.join(code(str(each)) for each in action.choices)}." if action.choices else ""
    about = f"{action.help}." if action.help and choices else action.help or ""
    return f"{about}{choices}".strip()
