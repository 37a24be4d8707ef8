"""Commands against the real operator in memory: what is foretold comes, and orders are carried out."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from operated import CHURN, DATA, REPORT, ROLLOUT, World, merged, two_versions

from assay_api.names import PROMOTE, ROLLBACK
from assay_cli.main import main
from assay_operator.kinds import KINDS

KIND = {(kind.api_version, kind.plural): kind.kind for kind in KINDS}
ROOT = Path(__file__).parents[2]
Prepare = Callable[[World], Awaitable[None]]


@dataclass
class OperatedCli:
    """A world, and a kubeconfig by which commands see it."""

    world: World
    folder: Path
    capsys: pytest.CaptureFixture[str]

    async def run(self, *words: str) -> tuple[int, str]:
        """Run a command in a thread of its own, as the API server answers in this one."""
        code = await asyncio.to_thread(main, [*words, "-n", "team", "--kubeconfig", str(self.folder / "k")])
        output = self.capsys.readouterr()
        return code, output.out + output.err

    async def plan(self, generation: int, **spec: Any) -> tuple[int, str]:
        """Plan the Model with another spec."""
        body = {
            "apiVersion": "assay.dev/v1alpha1",
            "kind": "Model",
            "metadata": {"name": "churn"},
            "spec": {"rollout": ROLLOUT} | spec,
        }
        (self.folder / "model.yaml").write_text(yaml.safe_dump(body))
        return await self.run("plan", "-f", str(self.folder / "model.yaml"))


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[OperatedCli]:
    world = World()
    world.moment = datetime.now(UTC)
    async with served(world, tmp_path / "k"):
        yield OperatedCli(world, tmp_path, capsys)


@asynccontextmanager
async def served(world: World, kubeconfig: Path) -> AsyncIterator[None]:
    """Serve the world's objects as an API server does."""
    bodies = world.cluster.bodies

    def kind(request: web.Request) -> str:
        version = "/".join(filter(None, (request.match_info.get("group"), request.match_info["version"])))
        return KIND[version, request.match_info["plural"]]

    async def listed(request: web.Request) -> web.Response:
        key, _, value = request.query.get("labelSelector", "").partition("=")
        items = [b for (k, _), b in bodies.items() if k == kind(request)]
        mine = [b for b in items if not key or (b["metadata"].get("labels") or {}).get(key) == value]
        return web.json_response({"items": mine})

    async def one(request: web.Request) -> web.Response:
        found = bodies.get((kind(request), request.match_info["name"]))
        return web.json_response(found or {}, status=200 if found else 404)

    async def patched(request: web.Request) -> web.Response:
        annotations = json.loads(await request.text())["metadata"]["annotations"]
        body = bodies.get((kind(request), request.match_info["name"]))
        if body is None:
            return web.json_response({}, status=404)
        known = {**body["metadata"].get("annotations", {}), **annotations}
        body["metadata"]["annotations"] = {k: v for k, v in known.items() if v is not None}
        world.put(kind(request), body["metadata"]["name"])
        return web.json_response(body)

    app = web.Application()
    for root in ("/api/{version}", "/apis/{group}/{version}"):
        path = f"{root}/namespaces/team/{{plural}}"
        app.router.add_get(path, listed)
        app.router.add_get(f"{path}/{{name}}", one)
        app.router.add_patch(f"{path}/{{name}}", patched)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configured(kubeconfig, runner.addresses[0][1])
    yield
    await runner.cleanup()


def configured(kubeconfig: Path, port: int) -> None:
    """Lead commands to a port of this machine."""
    cluster = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "it", "context": {"cluster": "it", "user": "me"}}
    users = [{"name": "me", "user": {}}]
    config = {"current-context": "it", "contexts": [context], "clusters": [cluster], "users": users}
    kubeconfig.write_text(yaml.safe_dump(config))


async def nothing(world: World) -> None:
    """No Model yet."""


async def serving(world: World) -> None:
    """A champion, and nothing to do."""
    world.apply_model(1, image={"image": "one"})
    await world.settle()
    world.answers("churn-1")
    await world.settle()


async def contesting(world: World) -> None:
    """An Experiment runs."""
    await two_versions(world)
    world.answers("churn-2")
    await world.settle()


async def promoted(world: World) -> None:
    """A second version replaced the first one, whose time to come back is not over."""
    await two_versions(world, rollout={"strategy": "Replace", "rollbackWindow": "1h"})
    world.answers("churn-2")
    await world.settle()


async def full(world: World) -> None:
    """As many versions as are kept, none of which may come back."""
    for number in range(1, 5):
        rollout = {"strategy": "Replace", "rollbackWindow": "0s"}
        world.apply_model(number, image={"image": f"i{number}"}, rollout=rollout, history={"keep": 2})
        await world.settle()
        world.answers(f"churn-{number}")
        await world.settle()


async def trained(world: World) -> None:
    """The first version is being trained."""
    world.apply_model(1, training={"data": DATA})
    await world.settle()


async def fitted(world: World) -> None:
    """It has ended, and the operator has not looked yet."""
    await trained(world)
    world.trained("churn-1", REPORT)


async def name_taken(world: World) -> None:
    """Somebody else's Service has the Model's name."""
    world.put("Service", "churn", metadata={"labels": {"app": "another"}})


REPLACE = {"strategy": "Replace", "rollbackWindow": "1h"}
KEEP_TWO = {"history": {"keep": 2}, "rollout": {"strategy": "Replace", "rollbackWindow": "0s"}}
cases = pytest.mark.parametrize(
    ("prepare", "spec"),
    [
        pytest.param(nothing, {"image": {"image": "one"}}, id="the first version from an image"),
        pytest.param(nothing, {"training": {"data": DATA}}, id="the first version by training"),
        pytest.param(name_taken, {"image": {"image": "one"}}, id="a name that is taken"),
        pytest.param(serving, {"image": {"image": "one"}}, id="what is there already"),
        pytest.param(serving, {"image": {"image": "two"}}, id="a challenger"),
        pytest.param(serving, {"image": {"image": "two"}, "rollout": REPLACE}, id="a replacement"),
        pytest.param(
            serving, {"image": {"image": "one"}, "serving": {"replicas": 3}}, id="more pods, and a budget"
        ),
        pytest.param(contesting, {"image": {"image": "three"}}, id="another version while one is tested"),
        pytest.param(contesting, {"image": {"image": "one"}}, id="back to the champion while one is tested"),
        pytest.param(promoted, {"image": {"image": "one"}, "rollout": REPLACE}, id="back to the former one"),
        pytest.param(full, {"image": {"image": "i5"}} | KEEP_TWO, id="one more than is kept"),
        pytest.param(trained, {"training": {"data": DATA}}, id="while it trains"),
        pytest.param(trained, {"image": {"image": "one"}}, id="instead of a training"),
        pytest.param(fitted, {"training": {"data": DATA}}, id="after a training"),
    ],
)


@cases
async def test_what_is_foretold_is_what_the_operator_does(
    cli: OperatedCli, prepare: Prepare, spec: dict[str, Any]
) -> None:
    world, bodies = cli.world, cli.world.cluster.bodies
    await prepare(world)
    known = bodies.get(("Model", "churn"), {})
    same = known.get("spec") == {"rollout": ROLLOUT} | spec
    generation = known.get("metadata", {}).get("generation", 0) + (not same)
    before, version = {key: _message(body) for key, body in bodies.items()}, world.cluster.version
    code, output = await cli.plan(generation, **spec)
    assert code == 0, output
    assert world.cluster.version == version, "nothing is written"
    world.apply_model(generation, **spec)
    await world.settle()

    mine = ("Model", "churn")
    made = {f"{k} {n}" for k, n in bodies.keys() - before.keys() - {mine}}
    assert _foretold(output, "make") | _foretold(output, "apply, new") == made
    assert _foretold(output, "delete") == {f"{k} {n}" for k, n in before.keys() - bodies.keys()}
    written = {f"{k} {n}" for k, n in before.keys() & bodies.keys() if _message(bodies[k, n]) != before[k, n]}
    changed = {words.partition(":")[0] for words in _foretold(output, "apply, changed")}
    assert changed == written - {"Model churn"}
    champion = world.status("Model", "churn").get("champion") or "none"
    assert re.search(rf"^champion: {champion}\b", output, re.MULTILINE), output
    for kind, name, rows in _tables(output):
        found = world.status(kind, name)["conditions"]
        assert rows == {(c["type"], c["status"], c["reason"]) for c in found}, f"{kind} {name}\n{output}"


def _message(body: dict[str, Any]) -> Any:
    """What a person or the operator asks for, whatever became of it."""
    return json.loads(json.dumps(body.get("spec"))), body["metadata"].get("labels")


def _foretold(output: str, verb: str) -> set[str]:
    found = re.findall(rf"^would {verb}: (.*?)(?: \(.*)?$", output, re.MULTILINE)
    return set(found)


def _tables(output: str) -> list[tuple[str, str, set[tuple[str, ...]]]]:
    heads = re.split(r"^(\w+) (\S+) would show:$", output, flags=re.MULTILINE)[1:]
    blocks = zip(heads[::3], heads[1::3], heads[2::3], strict=True)
    return [
        (kind, name, {tuple(line.split()[:3]) for line in text.splitlines()[2:] if line.startswith("  ")})
        for kind, name, text in blocks
    ]


async def test_a_running_experiment_is_shown_without_its_next_verdict(cli: OperatedCli) -> None:
    await contesting(cli.world)
    _, output = await cli.plan(2, image={"image": "two"})
    assert "Experiment churn-2-g2 runs: its numbers were not read" in output
    assert "champion: churn-1, as now" in output


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"kind": "Experiment"}, "kind Model are expected", id="another kind"),
        pytest.param({"spec": {"image": {"image": "x"}, "serv": {}}}, "serv", id="a field that is not there"),
        pytest.param({"spec": {"image": {"image": ""}}}, "image", id="a value that is out of bounds"),
        pytest.param({"metadata": {"name": "a--b"}}, "must not contain --", id="a name that cannot be"),
    ],
)
async def test_a_file_that_cannot_be_applied_is_refused(cli: OperatedCli, body: Any, words: str) -> None:
    usual = {"apiVersion": "assay.dev/v1alpha1", "kind": "Model", "metadata": {"name": "churn"}}
    file = cli.folder / "model.yaml"
    file.write_text(yaml.safe_dump(usual | {"spec": {"image": {"image": "x"}}} | body))
    code, output = await cli.run("plan", "-f", str(file))
    assert (code, words in output) == (2, True), output


async def operated(cli: OperatedCli, *words: str) -> tuple[int, str]:
    """Run a command while the operator works."""
    command = asyncio.create_task(cli.run(*words))
    while not command.done():
        cli.world.watch()
        await cli.world.reconcile(CHURN)
        await asyncio.sleep(0.01)
    return await command


async def test_a_person_promotes_a_version_and_goes_back(cli: OperatedCli) -> None:
    world = cli.world
    await contesting(world)
    code, output = await operated(cli, "promote", "churn-2", "-m", "the audit asks  for it", "--by", "ada")
    assert (code, "churn: Done: churn-2 serves" in output) == (0, True), output
    record = world.status("Model", "churn")["history"][0]
    assert (record["version"], record["cause"]) == ("churn-2", "Order")
    assert record["reason"].endswith("Z ada the audit asks for it")
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"

    code, output = await operated(cli, "rollback", "churn", "-m", "it is worse")
    assert (code, "churn: Done: churn-1 serves" in output) == (0, True), output
    assert set(world.cluster.bodies["Model", "churn"]["metadata"]["annotations"]) == {ROLLBACK}
    await world.settle()  # two orders must not take turns
    code, output = await operated(cli, "promote", "churn-2")
    assert (code, world.status("Model", "churn")["champion"]) == (0, "churn-2"), "the same again is an order"
    assert set(world.cluster.bodies["Model", "churn"]["metadata"]["annotations"]) == {PROMOTE}


async def test_an_order_that_cannot_be_carried_out_is_refused(cli: OperatedCli) -> None:
    await serving(cli.world)
    code, output = await operated(cli, "rollback", "churn")
    assert (code, "Refused" in output, "no former champion" in output) == (1, True, True), output


async def test_an_order_that_waits_for_pods_stands(cli: OperatedCli) -> None:
    world = cli.world
    rollout = merged(ROLLOUT, {"rollbackWindow": "0s"})
    await two_versions(world, rollout=rollout)
    code, output = await operated(cli, "promote", "churn-2", "--timeout", "0.2")
    assert (code, "it stands: Starting: churn-2 is promoted by hand as soon" in output) == (2, True), output
    world.answers("churn-2")
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"


async def test_an_order_need_not_be_waited_for(cli: OperatedCli) -> None:
    await contesting(cli.world)
    code, output = await cli.run("promote", "churn-2", "--no-wait")
    assert (code, "churn: asked" in output) == (0, True), output
    assert PROMOTE in cli.world.cluster.bodies["Model", "churn"]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["promote", "churn-9"], "there is no ModelVersion churn-9", id="no such version"),
        pytest.param(["rollback", "nobody"], "there is no Model nobody", id="no such Model"),
        pytest.param(["rollback", "churn", "-m", "x" * 500], "characters too long", id="a long story"),
    ],
)
async def test_what_cannot_be_ordered_is_an_error(cli: OperatedCli, words: list[str], says: str) -> None:
    await serving(cli.world)
    code, output = await cli.run(*words)
    assert (code, says in output) == (2, True), output
    assert not cli.world.cluster.bodies["Model", "churn"]["metadata"].get("annotations")


def test_a_plan_needs_nothing_that_only_the_operator_has() -> None:
    code = "import sys, assay_cli.plan_model; print(*{name.split('.')[0] for name in sys.modules})"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "assay_operator" in output.stdout.split()
    assert {"kopf", "grpc", "envoy", "prometheus_client", "psycopg"}.isdisjoint(output.stdout.split())


async def test_the_guide_shows_what_is_printed(cli: OperatedCli) -> None:
    guide = await asyncio.to_thread((ROOT / "docs" / "guides" / "commands.md").read_text)
    shown = guide.split("$ assay plan -f model.yaml -n team\n")[1].split("…")[0]
    await serving(cli.world)
    _, output = await cli.plan(2, image={"image": "two"})
    assert output.startswith(shown)
    assert "$ assay promote churn-3 -m" in guide
    assert "churn: Done: churn-3 serves" in guide
