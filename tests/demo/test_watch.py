"""`assay watch` and `assay status`: an API server has objects, lacks them, or is away for a moment."""

import argparse
import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from kubernetes.aio.client import ApiException
from rich.console import Console

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_cli import watch
from assay_cli.watch_draw import interval, ramp, sequence
from assay_cli.watch_source import Cluster
from assay_cli.watch_trail import Look, Trail
from assay_cli.watch_view import Observation, view

Lists = dict[str, list[Any]]
CHURN = Ref("demo", "churn")


@pytest.fixture(scope="module")
def objects() -> Lists:
    """The last moment of a whole run on a real cluster."""
    with gzip.open(Path(__file__).parent / "data/recording.jsonl.gz", "rt") as lines:
        *_, last = lines
    model, versions, experiments = json.loads(last)["observation"]
    return {"models": [model], "modelversions": versions, "experiments": experiments}


@asynccontextmanager
async def api(answer: Callable[[str], web.Response], folder: Path) -> AsyncIterator[str]:
    """Serve lists of custom resources; yield a kubeconfig."""

    async def handler(request: web.Request) -> web.Response:
        return answer(request.path.rpartition("/")[2])

    app = web.Application()
    app.router.add_get("/apis/assay.dev/v1alpha1/namespaces/demo/{kind}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = folder / "kubeconfig"
    server = {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    config.write_text(
        yaml.safe_dump(
            {
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
                "clusters": [{"name": "it", "cluster": server}],
                "users": [{"name": "me", "user": {}}],
            }
        )
    )
    try:
        yield str(config)
    finally:
        await runner.cleanup()


def listed(objects: Lists) -> Callable[[str], web.Response]:
    return lambda kind: web.json_response({"items": objects[kind]})


async def test_a_model_is_read_with_what_belongs_to_it_and_nothing_else(
    objects: Lists, tmp_path: Path
) -> None:
    stranger = json.loads(json.dumps(objects["modelversions"][0]))
    stranger["metadata"]["name"], stranger["spec"]["modelRef"]["name"] = "other-1", "other"
    everything = objects | {"modelversions": [*objects["modelversions"], stranger]}
    async with api(listed(everything), tmp_path) as config, Cluster(config) as cluster:
        observation = await cluster.read(CHURN)
    assert observation.model
    assert observation.model.status.champion == "churn-2"
    assert [v.metadata.name for v in observation.versions] == ["churn-1", "churn-2", "churn-3"]
    assert [e.status.phase for e in observation.experiments] == ["Promoted", "RolledBack"]


async def first(looks: AsyncIterator[Observation]) -> Observation:
    async with asyncio.timeout(10):
        return await anext(looks)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_server_that_is_away_for_a_moment_is_asked_again(
    objects: Lists, tmp_path: Path, status: int
) -> None:
    calls: list[str] = []

    def answer(kind: str) -> web.Response:
        calls.append(kind)
        return web.Response(status=status) if len(calls) == 1 else listed(objects)(kind)

    async with api(answer, tmp_path) as config, Cluster(config) as cluster:
        assert (await first(watch.looks(cluster, CHURN, 0.01))).model


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_server_that_refuses_is_not_asked_forever(tmp_path: Path, status: int) -> None:
    async with api(lambda _: web.Response(status=status), tmp_path) as config, Cluster(config) as cluster:
        with pytest.raises(ApiException):
            await first(watch.looks(cluster, CHURN, 0.01))


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    watch.register(parser.add_subparsers())
    return parser.parse_args(words)


async def status(config: str, *words: str) -> int:
    options = parsed("status", "-n", "demo", "--kubeconfig", config, *words)
    code: int = await asyncio.to_thread(options.run, options)
    return code


async def test_status_shows_every_model_of_the_namespace(
    objects: Lists, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with api(listed(objects), tmp_path) as config:
        assert await status(config) == 0
    shown = capsys.readouterr().out
    for words in ("model demo/churn", "churn-2", "RolledBack", "GuardrailBreached"):
        assert words in shown


async def test_status_of_a_model_that_is_not_there_fails_and_says_so(
    objects: Lists, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with api(listed(objects), tmp_path) as config:
        assert await status(config, "nobody") == 1
    assert "no Model nobody in namespace demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        pytest.param(401, "log in anew", id="who is not known"),
        pytest.param(403, "ask for the role", id="who has no right"),
        pytest.param(404, "is Assay installed", id="a cluster without Assay"),
    ],
)
async def test_what_the_server_refuses_is_a_line_that_says_what_to_do(
    tmp_path: Path, code: int, cure: str
) -> None:
    async with api(lambda _: web.Response(status=code), tmp_path) as config:
        with pytest.raises(OSError, match=f"{code} .*{cure}"):
            await status(config)


async def test_a_server_that_is_not_there_is_a_line_too(tmp_path: Path) -> None:
    async with api(listed({}), tmp_path) as config:
        pass
    with pytest.raises(OSError, match="does not answer"):
        await status(config)


async def test_without_a_kubeconfig_it_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="KUBECONFIG"):
        await status(str(tmp_path / "nothing"))


def test_watch_wants_a_name() -> None:
    with pytest.raises(SystemExit):
        parsed("watch")


def drawn(observation: Observation) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(view(observation, Trail(), datetime(2026, 1, 1, tzinfo=UTC), 100))
    return captured.get()


def test_nothing_is_drawn_as_nothing() -> None:
    assert "there is no such Model yet" in drawn(Observation(None))


def test_an_experiment_that_goes_on_is_shown_before_one_that_is_over(objects: Lists) -> None:
    observation = observed(objects)
    first, second = observation.experiments
    going = first.model_copy(update={"status": first.status.model_copy(update={"decision": None})})
    assert observation._replace(experiments=(going, second)).experiment == going
    assert observation.experiment == second


def observed(objects: Lists) -> Observation:
    return Observation(
        Model.model_validate(objects["models"][0]),
        tuple(map(ModelVersion.model_validate, objects["modelversions"])),
        tuple(map(Experiment.model_validate, objects["experiments"])),
    )


def test_a_look_that_says_nothing_new_is_not_kept(objects: Lists) -> None:
    trail, experiment = Trail(), observed(objects).experiments[0]
    trail.add(experiment, 1.0)
    trail.add(experiment, 2.0)
    assert [look.at for look in trail.of(experiment)] == [1.0]


INFINITE = float("inf")


@pytest.mark.parametrize(
    ("ends", "picture"),
    [
        pytest.param((-0.1, 0.0, 0.1), "·····├────●────┤·····", id="around zero"),
        pytest.param((0.04, 0.1, 0.16), "··········┆·├──●──┤··", id="above zero"),
        pytest.param((-INFINITE, 0.1, 0.5), "◀─────────┆────●────▶", id="beyond the axis on both sides"),
        pytest.param((0.0, 0.0, 0.0), "··········┆··········", id="a point"),
    ],
)
def test_an_interval_is_drawn_where_it_is(ends: tuple[float, float, float], picture: str) -> None:
    assert interval(ends, scale=0.2, width=21).plain == picture


def test_a_ramp_shows_what_is_done_what_is_now_and_what_comes() -> None:
    assert ramp([5, 20, 50], 2).plain == "● 5% ── ● 20% ── ◉ 50%"


def test_a_confidence_sequence_fits_its_frame_whatever_the_bounds() -> None:
    looks = [Look(i, i, 0.1, -INFINITE, INFINITE, 5.0) for i in range(5)]
    looks += [Look(5 + i, 100, 0.1, 0.1 - 1 / (i + 1), 0.1 + 1 / (i + 1), 5.0) for i in range(50)]
    rows = sequence(looks, width=60, height=9)
    assert len(rows) == 9
    assert all(len(row.plain) <= 60 for row in rows)
    assert all("●" in column for column in zip(*(row.plain[7:] for row in rows), strict=True))


def test_one_look_is_no_sequence() -> None:
    assert sequence([Look(0, 1, 0.1, 0, 1, 5.0)], 60) == []
