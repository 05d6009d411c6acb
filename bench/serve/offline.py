"""Images a second without a server: `predict` on two sizes of the same set, to subtract its start time."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import run
from serve.figures import rate_of_two_sizes
from serve.ours import Ours
from serve.scans import Scans

TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Offline:
    """The program, and how often the larger set contains each image."""

    program: Path
    copies: int

    def measure(self, ours: Ours, scans: Scans) -> dict[str, Any]:
        ours.make_folder()
        try:
            return self._measure(ours, scans)
        finally:
            shutil.rmtree(ours.folder / "scans", ignore_errors=True)

    def _measure(self, ours: Ours, scans: Scans) -> dict[str, Any]:
        seconds: list[float] = []
        counts = [len(scans.files), self.copies * len(scans.files)]
        for count in counts:
            folder = ours.folder / "scans" / str(count)
            lay_out(scans, count, folder)
            # An unmeasured run would only warm the page cache, which writing the files has already done.
            taken = run(
                [self.program, "--quiet", "--output", folder.with_suffix(".csv"), folder],
                ours.folder,
                ours.logs / f"offline-{count}.log",
                TIMEOUT_S,
            )
            seconds.append(taken.wall_s)
        rate = rate_of_two_sizes(counts[0], seconds[0], counts[1], seconds[1])
        return {"images_per_s": rate, "images": counts, "seconds": seconds}


def lay_out(scans: Scans, count: int, folder: Path) -> None:
    """Writes the given number of files; the images repeat after all have been used."""
    folder.mkdir(parents=True)
    for at in range(count):
        source = scans.files[at % len(scans.files)]
        shutil.copyfile(source, folder / f"{at:06}{source.suffix}")
