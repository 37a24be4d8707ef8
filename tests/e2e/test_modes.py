"""Other ways to be in an Experiment: shown to nobody, approved by a person, sharing units with others."""

import asyncio
import os
import subprocess
import sys
from types import ModuleType

from cluster_fixture import Json
from namespace_fixture import SAFE, NamespaceFixture

SMALL = {"timeout": "3s", "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}}  # six pods at once


def assay(ns: NamespaceFixture, *words: str) -> str:
    """Run `assay` as a user would, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "assay_cli", *words, "-n", ns.name],
        env={**os.environ, "KUBECONFIG": str(ns.cluster.settings.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_shadow_that_fails_is_noticed_by_nobody(ns: NamespaceFixture) -> None:
    """Its copies fail; callers hear the champion only, and it ends without a winner."""
    keep = {"strategy": "Replace", "rollbackWindow": "1h"}
    ns.cluster.apply(ns.model("plain", rollout=keep))
    await asyncio.to_thread(ns.champion, "churn-1")
    template = {"metrics": SAFE, "decision": {"minDuration": "1h", "maxDuration": "2h"}}
    waits = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": template}
    ns.cluster.apply(ns.model("faulty", rollout=waits))
    await asyncio.to_thread(ns.running, "churn-2-g2", patience=90)
    shadow = ns.experiment("churn-1", "churn-2", ramp=[{"percent": 99}], decision={"maxDuration": "15s"})
    del shadow["spec"]["metrics"]
    shadow["spec"]["mode"] = "Shadow"
    ns.cluster.apply(shadow)
    ns.cluster.kubectl("delete", "aexp", "churn-2-g2", "-n", ns.name)
    await asyncio.to_thread(ns.running)
    async with ns.users() as traffic:
        await traffic.more(200)
        status = await asyncio.to_thread(ns.experiment_phase, "exp", "Inconclusive")
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert {a.version for a in traffic.answers} == {"churn-1"}
    assert status["decision"]["reason"] == "ShadowOver"
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


async def test_a_winner_waits_for_a_person(ns: NamespaceFixture) -> None:
    """WaitingForApproval goes on measuring; `assay approve` promotes, and `assay replay` agrees."""
    template = {
        "ramp": [{"percent": 50}],
        "metrics": SAFE,
        "decision": {"minDuration": "1s", "maxDuration": "20m", "approval": "Manual"},
    }
    await asyncio.to_thread(ns.challenged, "boosted", template)
    async with ns.users() as traffic:
        await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "WaitingForApproval", patience=120)
        assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"
        await traffic.more(50)
        await asyncio.to_thread(assay, ns, "approve", "churn-2-g2", "--by", "somebody")
        await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "Promoted")
        await asyncio.to_thread(ns.champion, "churn-2")
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert "Promote" in assay(ns, "replay", "churn-2-g2")
    assert "churn-2-g2" in assay(ns, "report", "churn-2-g2")


async def test_neighbours_in_a_layer_share_no_unit(ns: NamespaceFixture, load: ModuleType) -> None:
    """Two Models, one layer: whoever is in one Experiment is not in the other; a third finds no room."""
    names = ("churn", "upsell", "winback")

    def made(name: str) -> Json:
        ns.cluster.apply(ns.model("plain", name=name, serving=SMALL, rollout=_queue(None)))
        ns.cluster.until("amodel", name, ns.name, lambda s: s.get("champion") == f"{name}-1", patience=90)
        template = {
            "layer": {"name": "checkout", "share": 40},
            "ramp": [{"percent": 20}],
            "metrics": SAFE,
            "decision": {"minDuration": "1h", "maxDuration": "2h"},
        }
        ns.cluster.apply(ns.model("boosted", name=name, serving=SMALL, rollout=_queue(template)))
        wanted = "Queued" if name == "winback" else "Running"
        return ns.experiment_phase(f"{name}-2-g2", wanted, patience=90)

    statuses = [await asyncio.to_thread(made, name) for name in names]
    assert any(c["reason"] == "LayerFull" for c in statuses[2]["conditions"])
    for name in names[:2]:
        await asyncio.to_thread(ns.running, f"{name}-2-g2")
    units, enrolled = load.made_up(600), []
    for name in names[:2]:
        async with load.Client(ns.target(name)) as client:
            answers = await load.ask_all(client, units, ns.customers[0].row)
        enrolled.append({a.unit for a in answers if a.enrolled})
    assert enrolled[0]
    assert enrolled[1]
    assert enrolled[0] & enrolled[1] == set()
    ns.cluster.kubectl("delete", "aexp", "churn-2-g2", "-n", ns.name)
    await asyncio.to_thread(ns.running, "winback-2-g2")
    shown = assay(ns, "assign", "-e", "upsell-2-g2", next(iter(enrolled[1])))
    assert "control" in shown or "candidate" in shown


def _queue(template: Json | None) -> Json:
    rollout = {"strategy": "Experiment" if template else "Replace", "rollbackWindow": "1h"}
    return rollout | ({"experiment": template} if template else {})
