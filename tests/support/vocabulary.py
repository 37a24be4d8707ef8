"""Words that are retired from code, kinds and docs, what stands for them, and where they still are.

`python tests/support/vocabulary.py` takes from the list of leftovers what has gone; nothing adds to it.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFTOVERS = Path(__file__).with_name("vocabulary_leftovers.txt")

# one part of a snake_case or CamelCase name
PARTS = {
    "asked": "the noun: request, query, requested",
    "badge": "token",
    "badges": "tokens",
    "bearable": "guardrails_pass",
    "borne": "MAX_",
    "courier": "ProfileReporter",
    "crowned": "promoted",
    "eyes": "MetricReaders",
    "farewell": "finalize",
    "hands": "executor",
    "heir": "successor",
    "kin": "RolloutFacts",
    "lineage": "RolloutPlan",
    "nobody": "None, or a name for what is absent",
    "objection": "StartBlocker",
    "offspring": "owned",
    "parcel": "ResourceBundle (xDS), ProfileBatch (counts)",
    "parcels": "bundles, batches",
    "reign": "ChampionRecord",
    "rival": "champion",
    "said": "the noun: message, reply, output",
    "seen": "observed",
    "shelf": "SnapshotCache",
    "somebody": "a user, a client, a caller",
    "told": "the noun: report, message, reported",
    "unproven": "unacked",
}
# a whole name
NAMES = {
    "AlertDesk": "AlertmanagerWebhook",
    "Book": "UnitOfWork",
    "Carrier": "BentoMount",
    "Claim": "a name for each of the three",
    "Conversation": "ProxyStream",
    "Deferred": "LazySource",
    "Family": "ModelSnapshot",
    "House": "DemoEnvironment",
    "Leaving": "NamespaceTerminating",
    "NOTHING_STRANGE": "CLEAN",
    "NoAnswer": "SourceUnavailable",
    "Past": "PreviousVersion",
    "Place": "a name for each",
    "Polls": "CachedSources",
    "Refused": "ApiError",
    "Section": "VersionedResources",
    "StandIn": "CachedControlPlane",
    "Town": "ClusterFixture",
    "Trust": "DataQuality",
    "Waiting": "StartFacts",
    "Wish": "CaptureConfig",
    "_good": "last_good",
    "_let_go": "_release_slots",
    "it_is_its_turn": "no_experiment_ahead",
    "whose_turn": "active_experiment",
}
# a module
MODULES = {
    "before": "previous",
    "beside": "sidecar",
    "book": "unit_of_work",
    "carrier": "bento_mount",
    "conversation": "proxy_stream",
    "house": "demo_environment",
    "lone": "single_file",
    "news": "collector_watch",
    "parts": "container",
    "people": "users",
    "quick": "fast_path",
    "section": "versioned_resources",
    "standin": "cached_control_plane",
    "town": "cluster_fixture",
}
# what people read, in small letters: docs, descriptions of fields, messages
PHRASES = {
    r"parcels?": "batch",
    r"badges?": "token",
    r"shelf": "cache",
    r"kin": "related objects",
    r"reigns?": "champion record",
    r"heirs?": "successor",
    r"crowned": "promoted",
    r"offspring": "owned objects",
    r"couriers?": "reporter",
    r"rivals?": "champion",
    r"bearable|to bear|is borne": "margin, rate, limit",
    r"log evidence of harm": "guardrail NAME breached: ... e-value",
    r"is as usual": "within the expected range",
    r"1 pods are ready": "1/1 pods ready",
    r"nothing is wrong": "no guardrail breached, all arms available",
    r"nothing is under way": "no training or experiment in progress",
    r"no units yet": "SRM check pending: units still settling",
    r"false verdicts": "type I error rate",
    r"chance to find": "statistical power",
    r"how much worse": "non-inferiority margin",
    r"who serves on": "version to serve",
    r"that wants to": "challenging the champion",
    r"is it well\?": "verify the installation",
    r"has a number and counts once": "numbered and deduplicated",
}

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PHRASE = re.compile("|".join(rf"\b(?:{phrase})(?!\w)" for phrase in PHRASES), re.IGNORECASE)
_HINT = re.compile("|".join((*PARTS, *map(re.escape, NAMES), *PHRASES)), re.IGNORECASE)
CODE = ("operator", "services", "hack", "tests", "benchmarks", "examples")
PROSE = (
    "docs", "crds", "charts/assay/README.md", "charts/assay/templates",
    "README.md", "CONTRIBUTING.md", "SECURITY.md",
)  # fmt: skip
SELF = ("tests/support/vocabulary.py", "tests/support/vocabulary_leftovers.txt", "tests/test_vocabulary.py")


def retired(name: str) -> set[str]:
    """Return what of a name is retired.

    >>> sorted(retired("PodSeen") | retired("what_was_told") | retired("Town"))
    ['Town', 'seen', 'told']
    >>> retired("township") | retired("untold") | retired("bookkeeping")
    set()
    """
    parts = {piece.lower() for piece in _PIECE.findall(name)}
    return (parts & PARTS.keys()) | ({name} & NAMES.keys())


def defined(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module defines; names of tests are sentences."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if not name.startswith("test_"):
                    yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                yield name


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield every text that is no docstring."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def phrases(text: str) -> set[str]:
    """Return the retired phrases of a text.

    >>> sorted(phrases("Nothing is wrong: the parcel came"))
    ['nothing is wrong', 'parcel']
    """
    return {" ".join(match.lower().split()) for match in _PHRASE.findall(text)}


def in_code(path: str, source: str) -> set[str]:
    """Return the retired words of a module: its name, what it defines, and what people read of it."""
    found = {f"{stem}.py" for stem in [Path(path).stem] if stem in MODULES}
    if not _HINT.search(source):
        return found
    tree = ast.parse(source)
    for name in set(defined(tree)):
        found |= retired(name)
    if path.startswith(("operator/", "services/")):
        for text in texts(tree):
            found |= phrases(text)
    return found


def found() -> dict[str, set[str]]:
    """Return the retired words of every file of ours that has some."""
    words = {}
    for path in _files(*CODE, *PROSE):
        if path in SELF:
            continue
        if path.endswith(".py"):
            words[path] = in_code(path, (ROOT / path).read_text())
        elif path.startswith(PROSE):
            words[path] = phrases((ROOT / path).read_text())
    return {path: here for path, here in words.items() if here}


def leftovers() -> dict[str, set[str]]:
    """Return the words that are known to be left, by file."""
    lines = (line.partition(": ") for line in LEFTOVERS.read_text().splitlines())
    return {path: set(words.split(", ")) for path, _, words in lines}


def write(words: dict[str, set[str]]) -> None:
    """Write that list."""
    lines = (f"{path}: {', '.join(sorted(here))}\n" for path, here in sorted(words.items()) if here)
    LEFTOVERS.write_text("".join(lines))


def _files(*folders: str) -> list[str]:
    """Return what Git keeps or would keep there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return [path for path in sorted(set(listed.splitlines())) if (ROOT / path).is_file()]


if __name__ == "__main__":
    now = found()
    write({path: words & now.get(path, set()) for path, words in leftovers().items()})
