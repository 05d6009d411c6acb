#!/usr/bin/env python3
"""Writes the dashboards that Grafana reads: deploy/monitoring/grafana/generate.py [--check]

With --check it writes nothing, and ends with 1 if a file is not what it would write.
"""

import json
import sys
from pathlib import Path

from model_dashboard import model_dashboard
from service_dashboard import service_dashboard

FOLDER = Path(__file__).resolve().parent / "dashboards"


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        print("generate: takes nothing, or --check", file=sys.stderr)
        return 2
    outdated = 0
    for made in [service_dashboard(), model_dashboard()]:
        file = FOLDER / f"{made['uid']}.json"
        text = json.dumps(made, indent=2) + "\n"
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"generate: {file.name} is not what generate.py makes; run it without --check", file=sys.stderr)
            outdated = 1
    return outdated


if __name__ == "__main__":
    sys.exit(main())
