"""The micro-benchmarks: runs `cargo bench` and reads criterion's results."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import NotMeasured, run

# The package and its benchmark.
BENCHES = [("imaging", "pixels"), ("classifier", "network")]
# The first time this includes building the bindings to libtorch.
TIMEOUT_S = 1800.0


def measure(root: Path, logs: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Times of one call, with the number of images or bytes in it."""
    if shutil.which("cargo") is None:
        say("bench: micro: not measured: cargo is missing")
        return []
    found: list[dict[str, Any]] = []
    for package, name in BENCHES:
        command: list[str | Path] = [
            "cargo",
            "bench",
            "--profile",
            "release",
            "--locked",
            "-p",
            package,
            "--bench",
            name,
            "--",
            "--warm-up-time",
            "1",
            "--measurement-time",
            "2",
        ]
        say(f"bench: micro: {package}/{name}")
        target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
        shutil.rmtree(target / "criterion", ignore_errors=True)
        try:
            run(command, root, logs / f"micro-{package}.log", TIMEOUT_S)
        except NotMeasured as reason:
            say(f"bench: micro: {package}: not measured: {reason}")
            continue
        found += [{"package": package, **entry} for entry in read(target / "criterion")]
    return found


def read(folder: Path) -> list[dict[str, Any]]:
    """Criterion's results below `folder`: medians with their 95 % intervals, in seconds."""
    entries = []
    for path in sorted(folder.rglob("new/estimates.json")):
        median = json.loads(path.read_text())["median"]
        named = json.loads(path.with_name("benchmark.json").read_text())
        interval = median["confidence_interval"]
        entries.append(
            {
                "name": named["full_id"],
                "throughput": named["throughput"],
                "median_s": median["point_estimate"] / 1e9,
                "interval_s": [interval["lower_bound"] / 1e9, interval["upper_bound"] / 1e9],
            }
        )
    return entries


def rate(entries: list[dict[str, Any]], name: str) -> float | None:
    """Items a second of the entry with that name."""
    for entry in entries:
        if entry["name"] == name:
            items_per_s: float = entry["throughput"]["Elements"] / entry["median_s"]
            return items_per_s
    return None


def printed(entries: list[dict[str, Any]]) -> str:
    lines = ["\nmicro (one thread for pixels, all cores for the network)"] if entries else []
    for entry in entries:
        median = entry["median_s"]
        unit, scale = next((pair for pair in (("s", 1.0), ("ms", 1e3)) if median * pair[1] >= 1), ("µs", 1e6))
        speed = ""
        for kind, count in (entry["throughput"] or {}).items():
            speed = f"{count / median / 1e6:.0f} MB/s" if kind == "Bytes" else f"{count / median:.4g} a second"
        lines.append(f"  {entry['name']:<42} {median * scale:8.3g} {unit:<2}  {speed}")
    return "\n" + "\n".join(lines) if lines else ""
