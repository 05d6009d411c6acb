"""The page that the tests type: docs/remotes.md."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def commands(heading):
    """The commands that docs/remotes.md shows below a heading, without their comments."""
    page = (PROJECT / "docs/remotes.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for block in re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL) for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"\s+#.*$", "", line).strip())]
