"""The chart's alerts: Prometheus reads them, they name what is exported, and they fire when they should."""

import re
import subprocess
from pathlib import Path
from typing import Any

import debian
import yaml

ROOT = Path(__file__).resolve().parents[2]
KNOWN = "--api-versions=monitoring.coreos.com/v1/PrometheusRule"
OURS = 'namespace="assay-system",pod="assay-gateway-1"'
FIRING = {  # a series, and minute by minute its values
    "AssayAATestDiffers": (f'assay_experiment_aa_differs{{{OURS},experiment="aa"}}', "0 0 0 1x8"),
    "AssayExposuresWait": (f"assay_shipper_blocked_seconds{{{OURS}}}", "0+20x10"),
    "AssayExposuresLost": (f"assay_shipper_lost_total{{{OURS}}}", "0 0 0 0 0 7 7 7 7 7 7"),
    "AssayAuditFails": (f'assay_exposure_audit_mismatches_total{{{OURS},experiment="e"}}', "0 0 0 0 1x7"),
}


def rules(render: Any, *more: str) -> dict[str, Any]:
    (found,) = render({}, *more).of_kind("PrometheusRule")
    spec: dict[str, Any] = found["spec"]
    return spec


def test_alerts_are_made_only_where_their_kind_is_known(render: Any) -> None:
    assert render().of_kind("PrometheusRule") == []
    switched_off = {"monitoring": {"prometheusRule": {"enabled": False}}}
    assert render(switched_off, KNOWN).of_kind("PrometheusRule") == []


def test_alerts_name_metrics_that_are_exported(render: Any) -> None:
    code = "".join(
        path.read_text() for part in ("operator", "services") for path in (ROOT / part).rglob("*.py")
    )
    texts = [rule["expr"] for rule in rules(render, KNOWN)["groups"][0]["rules"]]
    named = {name.removesuffix("_total") for text in texts for name in re.findall(r"assay_\w+", text)}
    assert len(named) == 9
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_alerts_fire_when_exposures_wait_or_are_lost_and_at_nobody_elses_numbers(
    render: Any, tmp_path: Path
) -> None:
    """Run by promtool, on series made for it."""
    spec = rules(render, KNOWN)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    alive = {"series": f'up{{job="operator",{OURS}}}', "values": "1x10"}
    for name, (series, values) in FIRING.items():
        expected = [{"exp_labels": labels(series, spec, name), "exp_annotations": annotations(spec, name)}]
        elsewhere = series.replace("assay-system", "another")
        cases = {
            "interval": "1m",
            "input_series": [alive, {"series": series, "values": values}],
            "alert_rule_test": [{"eval_time": "9m", "alertname": name, "exp_alerts": expected}],
        }
        quiet = cases | {
            "input_series": [alive, {"series": elsewhere, "values": values}],
            "alert_rule_test": [{"eval_time": "9m", "alertname": name, "exp_alerts": []}],
        }
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [cases, quiet]}
        (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
        command = [str(debian.prometheus() / "promtool"), "test", "rules", "test.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_fires_when_nobody_leads(render: Any, tmp_path: Path) -> None:
    """Of two replicas one must: which one makes no difference, and a change of leader is none."""
    spec = rules(render, KNOWN)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    replicas = [f'assay_leader{{namespace="assay-system",pod="assay-operator-{n}"}}' for n in (1, 2)]
    expected = {
        "exp_labels": alert(spec, "AssayNobodyLeads")["labels"],
        "exp_annotations": annotations(spec, "AssayNobodyLeads"),
    }
    cases = [
        {
            "interval": "1m",
            "input_series": [
                {"series": series, "values": v} for series, v in zip(replicas, values, strict=True)
            ],
            "alert_rule_test": [{"eval_time": "9m", "alertname": "AssayNobodyLeads", "exp_alerts": alerts}],
        }
        for values, alerts in (
            (("1x4 0x6", "0x4 1x6"), []),
            (("1x4 0x6", "0x10"), [expected]),
        )
    ]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    command = [str(debian.prometheus() / "promtool"), "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alert(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in spec["groups"][0]["rules"] if each["alert"] == name)
    return found


def labels(series: str, spec: dict[str, Any], name: str) -> dict[str, str]:
    declared: dict[str, str] = alert(spec, name)["labels"]
    return dict(re.findall(r'(\w+)="([^"]*)"', series)) | declared


def annotations(spec: dict[str, Any], name: str) -> dict[str, str]:
    found: dict[str, str] = alert(spec, name)["annotations"]
    return found
