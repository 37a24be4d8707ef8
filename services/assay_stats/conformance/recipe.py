"""Data written as a recipe: assignments of arithmetic on numpy's seeded generator, and nothing else.

A case file is data; whatever it says, only the names, calls and operators listed here can run.
"""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

NUMPY = (
    "repeat",
    "arange",
    "tile",
    "ones",
    "zeros",
    "exp",
    "log",
    "sqrt",
    "minimum",
    "maximum",
    "concatenate",
)
NAMES: Mapping[str, Any] = {
    "default_rng": np.random.default_rng,
    **{name: getattr(np, name) for name in NUMPY},
}
METHODS = frozenset(
    {"normal", "lognormal", "binomial", "poisson", "exponential", "gamma", "beta", "integers", "random",
     "uniform", "standard_normal", "astype", "choice", "permutation"}
)  # fmt: skip
NODES = (
    ast.Module, ast.Assign, ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Call,
    ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Compare, ast.keyword, ast.operator, ast.unaryop,
    ast.cmpop, ast.Slice,
)  # fmt: skip


def run(text: str) -> dict[str, Any]:
    """Return the variables that a recipe assigns.

    Raises:
        ValueError: The recipe asks for anything but arithmetic and seeded draws.

    >>> [int(v) for v in run("rng=np.random.default_rng(1);x=repeat(arange(2),2)%2")["x"]]
    [0, 0, 1, 1]
    """
    tree = ast.parse(text.replace("np.random.", "").replace("np.", ""))
    assigned = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        _refuse(node, assigned | set(NAMES))
    scope: dict[str, Any] = {"__builtins__": {}, **NAMES}
    exec(compile(tree, "recipe", "exec"), scope)  # every node, name and method was checked above
    return {name: scope[name] for name in assigned}


def _refuse(node: ast.AST, known: set[str]) -> None:
    if not isinstance(node, NODES):
        raise ValueError(f"recipe: {type(node).__name__} is not arithmetic")  # noqa: TRY004 - text, not a type
    if isinstance(node, ast.Name) and (node.id not in known or node.id.startswith("_")):
        raise ValueError(f"recipe: {node.id} is none of {', '.join(sorted(known))}")
    if isinstance(node, ast.Attribute) and node.attr not in METHODS:
        raise ValueError(f"recipe: .{node.attr} is none of {', '.join(sorted(METHODS))}")
