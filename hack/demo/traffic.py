"""The demo's users on their own: replay held-out customers at a model, and report their true labels.

    python hack/demo/traffic.py --url http://127.0.0.1:8080 --host churn.demo --seconds 60

With `--namespace /run/netns/assay` the Service's cluster address can be used from outside the cluster's
network. With `--collector` and ASSAY_APPLICATION_TOKEN set, outcomes are sent as well. Prints a line of
JSON every second; the exit status is 1 if any request failed or any unit changed its arm.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from churndemo.client import Client, Target
from churndemo.customers import read
from churndemo.ledger import Ledger
from churndemo.outcomes import Collector, Labels
from churndemo.users import Users


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="the model's endpoint Service, or a forward to it")
    parser.add_argument("--host", help="the Host header, such as churn.demo")
    parser.add_argument("--namespace", type=Path, help="network namespace from which the URL is reached")
    parser.add_argument("--customers", type=Path, default=Path("out/churn/live.csv"))
    parser.add_argument("--model", default="demo/churn", help="whose outcomes these are")
    parser.add_argument("--collector", help="URL of the collector")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--delay", type=float, default=2, help="seconds until a true label is known")
    return parser.parse_args()


async def main() -> int:
    options = arguments()
    ledger, labels = Ledger(), Labels(options.model, options.delay)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Client(Target(options.url, options.host, options.namespace)) as client:
        users = Users(read(options.customers), client, ledger, labels)
        async with asyncio.TaskGroup() as tasks:
            report = tasks.create_task(reports(ledger))
            if options.collector:
                target = Target(options.collector, namespace=options.namespace)
                token = os.environ["ASSAY_APPLICATION_TOKEN"]
                tasks.create_task(users.tell(Collector(target, token), stop))
            await users.call(options.rate, stop, seconds=options.seconds)
            stop.set()
            report.cancel()
    say(ledger)
    if ledger.failed:
        print(ledger.complaint(), file=sys.stderr)
    return int(bool(ledger.failed or ledger.moves))


async def reports(ledger: Ledger) -> None:
    while True:
        await asyncio.sleep(1)
        say(ledger)


def say(ledger: Ledger) -> None:
    line = ledger.totals()._asdict() | {"arms": dict(ledger.answers_by_arm), "moves": len(ledger.moves)}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
