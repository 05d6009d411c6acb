"""Joins what cargo-cyclonedx wrote for each crate into one list: scripts/sbom.py TARGET CRATE…"""

import json
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]


def of_crate(name: str) -> dict[str, Any]:
    """The list of one crate, without folders of this machine."""
    [path] = PROJECT.glob(f"crates/*/*/{name}.cdx.json")
    return dict(json.loads(path.read_text(encoding="utf-8").replace(str(PROJECT), "")))


def joined(lists: list[dict[str, Any]]) -> dict[str, Any]:
    """One list of everything, each once, whose root depends on the programs."""
    roots = [each["metadata"]["component"] for each in lists]
    components = {each["bom-ref"]: each for each in roots}
    depends: dict[str, set[str]] = {}
    for each in lists:
        components |= {component["bom-ref"]: component for component in each.get("components", [])}
        for dependency in each.get("dependencies", []):
            depends.setdefault(dependency["ref"], set()).update(dependency.get("dependsOn", []))
    version = roots[0]["version"]
    root = {"type": "application", "bom-ref": "hounsfield", "name": "hounsfield", "version": version}
    depends["hounsfield"] = {each["bom-ref"] for each in roots}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": lists[0]["specVersion"],
        "version": 1,
        "metadata": {"component": root, "tools": lists[0]["metadata"].get("tools", [])},
        "components": [components[ref] for ref in sorted(components)],
        "dependencies": [{"ref": ref, "dependsOn": sorted(on)} for ref, on in sorted(depends.items())],
    }


def main() -> None:
    target, *crates = sys.argv[1:]
    found = joined([of_crate(name) for name in crates])
    Path(target).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{target}: {len(found['components'])} crates")


if __name__ == "__main__":
    main()
