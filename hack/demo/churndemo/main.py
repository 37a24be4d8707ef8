"""The demo from the first image to the last promise: build, tell, sum up, leave."""

import argparse
import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator

import prepare
from cluster.shell import Failed, Refusal
from rich.console import Console

from assay_api import Ref
from assay_cli.watch_source import Cluster as Api
from churndemo import bento
from churndemo.customers import read
from churndemo.demo_environment import NAMESPACE, RELEASE, ROOT, SYSTEM, DemoEnvironment, environment
from churndemo.kubectl import KubectlError
from churndemo.outcomes import Collector, Labels
from churndemo.picture import summary
from churndemo.plot import plot
from churndemo.show import shown
from churndemo.stage import Stage
from churndemo.story import MODEL, Story, chapters
from churndemo.users import Users
from churndemo.watcher import StoryError, Watcher

ABOUT = "A churn model wins its experiment on a real Kubernetes, and a broken one loses."
OUT = ROOT / "out/demo"
LONGEST = 1200.0  # seconds of traffic
LABEL_DELAY = 2.0  # seconds until a true label is known


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=ABOUT)
    parser.add_argument("--cluster", default=os.environ.get("CLUSTER") or "assay", help="its name")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    parser.add_argument("--here", action="store_true", help="Assay is installed already: tell the story only")
    parser.add_argument("--bento", help="image of version 3, if the cluster cannot be given ours")
    parser.add_argument("--rate", type=float, default=60, help="requests a second")
    return parser.parse_args()


async def main() -> int:
    options, console = arguments(), Console()
    try:
        await (environment(options.cluster).clear() if options.here else build(options.cluster, console))
        stage = await demo(environment(options.cluster), options, console)
    except (KubectlError, Refusal, Failed) as error:
        console.print(f"error: {error}", highlight=False, markup=False, style="red")
        return 1
    console.print(summary(stage))
    plot(stage, OUT / "effect.png")
    console.print(f"plot: {OUT / 'effect.png'}   record: {OUT / 'recording.jsonl'}")
    if not stage.kept:
        console.print(
            f"what the cluster says: {await environment(options.cluster).explain(OUT / 'failure.txt')}"
        )
    await leave(options, console)
    return 0 if stage.kept else 1


async def build(cluster: str, console: Console) -> None:
    """Bring everything up; the first time takes minutes, most of them for Kubernetes and the images."""
    start = time.monotonic()
    await make("up", cluster)
    await make("install", cluster)
    await environment(cluster).clear()
    console.print(f"Assay is up after {time.monotonic() - start:.0f} s")


async def make(target: str, cluster: str) -> None:
    """Run a target of the Makefile; its progress, on stderr, goes to the terminal."""
    words = ("make", "-s", target, f"CLUSTER={cluster}")
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise KubectlError(f"make {target} CLUSTER={cluster} failed; its last words stand above")


async def demo(surroundings: DemoEnvironment, options: argparse.Namespace, console: Console) -> Stage:
    """Tell the story and return how it went; what it could not tell is marked as failed."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "failure.txt").unlink(missing_ok=True)
    prepare.prepare(OUT)
    bringing = asyncio.to_thread(lambda: options.bento or bento.bring(surroundings.cluster))
    image, _ = await asyncio.gather(bringing, surroundings.furnish(OUT))
    stage = Stage(chapters())
    with (OUT / "recording.jsonl").open("w") as record, contextlib.suppress(StoryError, KubectlError):
        watcher = Watcher(stage, Ref(NAMESPACE, MODEL), record)
        async with shown(stage, console), watching(surroundings, watcher):
            await tell(Story(surroundings, stage, watcher, image), surroundings, stage, options.rate)
    return stage


async def tell(story: Story, surroundings: DemoEnvironment, stage: Stage, rate: float) -> None:
    """Three chapters; from the first answer to the end, users never stop calling."""
    customers = read(OUT / "live.csv")
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as doors:
        client = await story.first(doors, customers[0])
        users = Users(customers, client, stage.ledger, Labels(f"{NAMESPACE}/{MODEL}", LABEL_DELAY))
        labels = asyncio.create_task(outcomes(surroundings, users, stop, stage))
        called = asyncio.create_task(users.call(rate, stop, seconds=LONGEST))
        try:
            await story.better(users)
            await story.faulty(users)
        finally:
            stop.set()
            await called
            await labels
            story.users_are_well()


async def outcomes(surroundings: DemoEnvironment, users: Users, stop: asyncio.Event, stage: Stage) -> None:
    """Send true labels to the collector with the application's token; note whether all were taken."""
    try:
        token = await surroundings.kubectl.secret(f"{RELEASE}-tokens", SYSTEM, "application")
        async with surroundings.door(f"{RELEASE}-collector", SYSTEM, 8080) as target:
            collector = Collector(target, token)
            await users.tell(collector, stop)
    except (ConnectionError, KubectlError) as error:
        stage.promise("every label reached the collector", held=False, detail=str(error))
    else:
        detail = f"{collector.accepted} accepted, {collector.refused} of no known metric"
        stage.promise(
            "every label reached the collector", collector.refused == 0 < collector.accepted, detail
        )


@contextlib.asynccontextmanager
async def watching(surroundings: DemoEnvironment, watcher: Watcher) -> AsyncIterator[None]:
    """Look at the cluster in the background."""
    async with Api(str(surroundings.cluster.kubeconfig)) as api:
        task = asyncio.create_task(watcher.watch(api))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def leave(options: argparse.Namespace, console: Console) -> None:
    """Take the cluster down, or say how to look around."""
    if options.here:
        return
    if options.keep:
        console.print(f'it stays: eval "$(make -s kubeconfig CLUSTER={options.cluster})"', highlight=False)
        console.print("then: kubectl -n demo get amodel,amv,aexp; and make down ends it", highlight=False)
        return
    await make("down", options.cluster)
