"""hack/argocd/health.lua under the Lua 5.1 that Argo CD speaks, with every documented situation."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
from situations import SITUATIONS, Situation, condition

from assay_api.reason import REASONS

SCRIPT = (Path(__file__).parents[2] / "hack" / "argocd" / "health.lua").read_text()
CLOSED = ("os", "io", "package", "require", "debug", "string", "table", "math", "coroutine", "load", "dofile")


def health(body: dict[str, Any]) -> tuple[str, str]:
    """Status and message, in a Lua without the libraries that Argo CD keeps closed."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    for name in CLOSED:
        lua.globals()[name] = None
    lua.globals().obj = lua.table_from(body, recursive=True)
    found = lua.execute(SCRIPT)
    return found.status, found.message


def named(one: Situation) -> str:
    return f"{one.kind}: {one.name}, {one.progressing.split()[1]}"


@pytest.mark.parametrize("one", SITUATIONS, ids=named)
def test_every_documented_situation_has_its_health(one: Situation) -> None:
    assert health(one.body)[0] == one.argo


def changed(**news: Any) -> dict[str, Any]:
    body = deepcopy(next(one for one in SITUATIONS if one.argo == "Healthy").body)
    return {key: {**value, **news[key]} if key in news else value for key, value in body.items()}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(changed(metadata={"generation": 3}), id="a spec that nobody has looked at"),
        pytest.param(changed(metadata={"deletionTimestamp": "now"}), id="deletion"),
        pytest.param({"metadata": {"generation": 1}}, id="no status"),
        pytest.param(changed(status={"conditions": []}), id="no conditions"),
        pytest.param(
            changed(status={"conditions": [condition("Ready", "False", "NoChampion")]}), id="not ready"
        ),
    ],
)
def test_what_is_not_known_yet_is_progressing(body: dict[str, Any]) -> None:
    assert health(body)[0] == "Progressing"


def test_the_message_has_reason_and_words() -> None:
    assert health(changed())[1] == "Serving: about Serving"


def test_the_reasons_that_it_names_are_documented() -> None:
    line = next(line for line in SCRIPT.splitlines() if line.startswith("local ASKS"))
    named_there = {word for word in line.replace(",", " ").split() if word in REASONS}
    assert named_there == {"WaitingForApproval", "Suspended"}
