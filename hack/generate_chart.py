"""Render what the chart derives from other files.

crds/*.yaml                        -> charts/assay/files/crds/*.yaml   (copies: a chart reads no other folder)
assay_operator.gateway.bootstrap   -> charts/assay/files/envoy.yaml
assay_operator.gateway.certificate -> charts/assay/files/tls.yaml      (where Envoy finds its certificate)
assay_operator.kinds               -> charts/assay/files/rbac.yaml     (the rules of the operator's Role)
charts/assay/values.schema.yaml    -> charts/assay/values.schema.json  (references resolved; what Helm checks)
values.schema.yaml and values.yaml -> charts/assay/README.md           (the table of values)

`--check` writes nothing and fails when a file is not what it would write.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from assay_operator.gateway import Tls, certificate
from assay_operator.gateway.bootstrap import bootstrap
from assay_operator.kinds import rbac_rules

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "assay"
RELAY_HOST = "127.0.0.1"  # in Envoy's own pod

README = """\
# The Assay chart

```sh
helm install assay charts/assay --namespace assay-system --create-namespace
```

Works with Helm 3 and 4 on Kubernetes 1.30 and newer. What it installs, and how to choose:
[docs/install.md](../../docs/install.md); how to live with it: [docs/operations.md](../../docs/operations.md).

## Values

Made by `python hack/generate_chart.py` from `values.schema.yaml` and `values.yaml`.

| key | default | meaning |
|---|---|---|
"""


class Plain(yaml.SafeDumper):
    """YAML for people: no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML asks with it
        """Write everything out."""
        return True


def resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return the schema with every `$ref` replaced by what it names; words beside the reference win."""
    if isinstance(schema, list):
        return [resolved(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    beside = {key: resolved(value, definitions) for key, value in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return beside
    return resolved(definitions[schema["$ref"].removeprefix("#/definitions/")], definitions) | beside


def leaves(schema: Mapping[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield (key, default, description) of every value that stands for itself, in the schema's order."""
    for name, part in schema["properties"].items():
        if name not in values:
            continue
        key = f"{path}{name}"
        if "properties" in part and name != "resources":
            yield from leaves(part, values[name], f"{key}.")
        else:
            yield key, values[name], part.get("description", "Requests and limits.")


def readme(schema: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return the chart's README: one row a value."""
    rows = (
        f"| `{key}` | `{json.dumps(default, ensure_ascii=False)}` | {description.replace('|', '/')} |"
        for key, default, description in leaves(schema, values)
    )
    return README + "\n".join(rows) + "\n"


def derived() -> dict[Path, str]:
    """Return every derived file and what it must say."""
    source = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    schema = resolved({k: v for k, v in source.items() if k != "definitions"}, source["definitions"])
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    crds = {CHART / "files" / "crds" / path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")}
    return crds | {
        CHART / "files" / "envoy.yaml": yaml.dump(bootstrap(RELAY_HOST), Dumper=Plain, sort_keys=False),
        CHART / "files" / "rbac.yaml": yaml.dump(rbac_rules(), Dumper=Plain, sort_keys=False),
        CHART / "files" / "tls.yaml": yaml.dump(certificate(Tls()), Dumper=Plain, sort_keys=False),
        CHART / "values.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
        CHART / "README.md": readme(schema, values),
    }


def stale(wanted: Mapping[Path, str]) -> list[Path]:
    """Return the files that differ from `wanted`, and copies of CRDs that are no more."""
    orphans = set((CHART / "files" / "crds").glob("*.yaml")) - set(wanted)
    differing = {path for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    return sorted(orphans | differing)


def main() -> int:
    """Write, or with `--check` only tell, what is stale."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is stale")
    check = parser.parse_args().check
    wanted = derived()
    for path in (found := stale(wanted)):
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
        if check:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
