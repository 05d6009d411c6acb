"""Measures DVC remotes with many small files, and with the same files in one archive.

    make bench-remotes
    make bench-remotes FILES=20000 ONLY=s3
    .venv-reference/bin/python bench/remotes.py --files 10000 --jobs 4,16

The files are drawn: 4 kB of noise each. Each remote gets them twice, as files and as a tar archive; a colleague with an
empty cache pulls them, and each byte is compared. The servers are those of the tests: a folder, moto (S3) and OpenSSH,
on this machine. Where a step takes longer than --minutes, the remote gets --fewer files, and its rows say so. Prints a
table; every time goes to bench/results-remotes.json.
"""

import argparse
import contextlib
import hashlib
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import machine
from measure import NotMeasured, Run, run

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/real_programs"))

import dvc_remotes  # noqa: E402 - its folder has to be named first

FILE_BYTES = 4096
FILES_IN_A_FOLDER = 1000
BUCKET = "s3://my-bucket/hounsfield"
# What the tests' S3 server is told; it checks no key.
S3_KEY = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Remote:
    """Where to push: an address, and what `dvc remote modify` sets."""

    url: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Trip:
    """The same files to a remote and back, in seconds."""

    remote: str
    shape: str
    files: int
    jobs: str
    # From a folder to something that DVC has in its cache; packing included.
    add_s: float
    push_s: float
    # Once more, with nothing new.
    again_s: float
    # With an empty cache; unpacking included.
    pull_s: float


def draw(folder: Path, files: int, seed: int = 1) -> None:
    """Noise, so that nothing is made small on its way."""
    noise = random.Random(seed)
    for number in range(files):
        part = folder / f"{number // FILES_IN_A_FOLDER:04d}"
        if number % FILES_IN_A_FOLDER == 0:
            part.mkdir(parents=True)
        (part / f"{number:06d}.bin").write_bytes(noise.randbytes(FILE_BYTES))


def digest(folder: Path) -> str:
    """Of all names and contents."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


class Project:
    """A DVC project whose caches are its own."""

    def __init__(self, dvc: Path, folder: Path, timeout_s: float) -> None:
        self.program, self.folder, self.timeout_s = dvc, folder, timeout_s
        folder.mkdir(parents=True)
        self.dvc("init", "--no-scm", "--quiet")

    def run(self, *command: str | Path) -> Run:
        environment = {"DVC_SITE_CACHE_DIR": str(self.folder / ".site"), "HOME": str(self.folder), **S3_KEY}
        try:
            return run(list(command), self.folder, self.folder.with_suffix(".log"), self.timeout_s, environment)
        except NotMeasured as reason:
            raise NotMeasured(f"{Path(command[0]).name} {command[1]}: {reason}") from None

    def dvc(self, *arguments: str) -> float:
        """Runs DVC; the seconds it took."""
        return self.run(self.program, *arguments).wall_s

    def tar(self, *arguments: str) -> float:
        """The same of tar."""
        return self.run("tar", *arguments).wall_s

    def use(self, remote: Remote) -> None:
        self.dvc("remote", "add", "--quiet", "--default", "shelf", remote.url)
        for name, value in remote.settings.items():
            self.dvc("remote", "modify", "--quiet", "--local", "shelf", name, value)


def there_and_back(work: Path, dvc: Path, remote: Remote, files: Path, jobs: str, timeout_s: float) -> Iterator[Trip]:
    """As files, then as an archive. Each has a project of its own, and so has the colleague."""
    count, expected = sum(1 for path in files.rglob("*") if path.is_file()), digest(files)
    words = [] if jobs == "default" else ["--jobs", jobs]
    for shape in ("files", "archive"):
        place = work / shape
        try:
            project, colleague = (Project(dvc, place / name, timeout_s) for name in ("here", "there"))
            shutil.copytree(files, project.folder / "files")
            project.use(remote)
            colleague.use(remote)
            tracked = "files" if shape == "files" else "files.tar"
            add_s = project.tar("--create", "--file", tracked, "files") if shape == "archive" else 0.0
            add_s += project.dvc("add", "--quiet", tracked)
            push_s = project.dvc("push", "--quiet", *words)
            again_s = project.dvc("push", "--quiet", *words)
            shutil.copy(project.folder / f"{tracked}.dvc", colleague.folder)
            pull_s = colleague.dvc("pull", "--quiet", *words)
            if shape == "archive":
                pull_s += colleague.tar("--extract", "--file", tracked)
            if digest(colleague.folder / "files") != expected:
                raise NotMeasured("what came back is not what was pushed")
            yield Trip("", shape, count, jobs, add_s, push_s, again_s, pull_s)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def folder_remote(folder: Path) -> Iterator[Remote]:
    yield Remote(str(folder / "shelf"), {})


@contextlib.contextmanager
def s3_remote(folder: Path) -> Iterator[Remote]:
    if not dvc_remotes.program("moto_server").exists():
        raise NotMeasured("moto is missing: scripts/setup reference")
    with dvc_remotes.s3(folder) as address:
        yield Remote(BUCKET, {"endpointurl": address})


@contextlib.contextmanager
def ssh_remote(folder: Path) -> Iterator[Remote]:
    if dvc_remotes.SSHD is None:
        raise NotMeasured("sshd is missing: apt-get install openssh-server")
    with dvc_remotes.ssh(folder) as (host, key):
        yield Remote(f"ssh://{host}{folder}/shelf", {"keyfile": str(key)})


REMOTES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Remote]]] = {
    "folder": folder_remote,
    "s3": s3_remote,
    "ssh": ssh_remote,
}


class Bench:
    """All trips, with their files below one folder."""

    def __init__(self, work: Path, dvc: Path, fewer: int, timeout_s: float) -> None:
        self.work, self.dvc, self.fewer, self.timeout_s = work, dvc, fewer, timeout_s
        self.trips: list[Trip] = []
        self.missing: dict[str, str] = {}

    def drawn(self, files: int) -> Path:
        folder = self.work / f"drawn-{files}"
        if not folder.exists():
            say(f"bench: remotes: drawing {files:,} files")
            draw(folder, files)
        return folder

    def measure(self, name: str, files: int, jobs: str) -> None:
        """A remote of its own for each trip; with fewer files where it takes too long."""
        title = f"{name}, {files:,} files" + ("" if jobs == "default" else f", {jobs} jobs")
        place = self.work / "trip"
        (place / "server").mkdir(parents=True)
        try:
            with REMOTES[name](place / "server") as remote:
                for trip in there_and_back(place, self.dvc, remote, self.drawn(files), jobs, self.timeout_s):
                    self.trips.append(Trip(**(asdict(trip) | {"remote": name})))
                    say(f"bench: remotes: {title}, as {trip.shape}: push {trip.push_s:.1f} s, pull {trip.pull_s:.1f} s")
        except NotMeasured as reason:
            say(f"bench: remotes: {title}: not measured: {reason}")
            self.missing[title] = str(reason)
        finally:
            shutil.rmtree(place)
        if "took more than" in self.missing.get(title, "") and self.fewer < files:
            self.trips = [trip for trip in self.trips if (trip.remote, trip.jobs) != (name, jobs)]
            self.measure(name, self.fewer, jobs)


def printed(trips: list[Trip]) -> str:
    """A table in Markdown."""
    lines = [
        "| remote | what | files | jobs | add | push | push, nothing new | pull |",
        "|---|---|--:|---|--:|--:|--:|--:|",
    ]
    for trip in trips:
        times = " | ".join(f"{seconds:.1f} s" for seconds in (trip.add_s, trip.push_s, trip.again_s, trip.pull_s))
        lines.append(f"| {trip.remote} | {trip.shape} | {trip.files:,} | {trip.jobs} | {times} |")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--fewer", type=int, default=20_000, help="for a remote that takes too long")
    parser.add_argument("--minutes", type=float, default=10.0, help="that a step may take")
    parser.add_argument("--only", default="", help=f"remotes, with commas: {', '.join(REMOTES)}")
    parser.add_argument("--jobs", default="default", help="numbers of transfers at a time, with commas")
    parser.add_argument("--dvc", type=Path, default=ROOT / ".venv/bin/dvc", metavar="PROGRAM")
    parser.add_argument("--work", type=Path, metavar="DIR", help="for some gigabytes; a temporary folder is made in it")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results-remotes.json")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else list(REMOTES)
    for name in options.only:
        if name not in REMOTES:
            parser.error(f"--only names {name}; expected some of: {', '.join(REMOTES)}")
    options.jobs = options.jobs.split(",")
    for jobs in options.jobs:
        if jobs != "default" and not (jobs.isdecimal() and int(jobs)):
            parser.error(f"--jobs has {jobs!r}; expected numbers above 0, or default")
    if options.files < 1 or options.fewer < 1:
        parser.error("--files and --fewer have to be above 0")
    return options


def main() -> None:
    options = parse()
    described = machine.describe(ROOT)
    with tempfile.TemporaryDirectory(prefix="bench-remotes-", dir=options.work) as name:
        bench = Bench(Path(name).absolute(), options.dvc.absolute(), options.fewer, options.minutes * 60)
        for remote in options.only:
            for jobs in options.jobs:
                bench.measure(remote, options.files, jobs)
    print(printed(bench.trips))
    for title, why in bench.missing.items():
        print(f"not measured: {title}: {why}")
    record = {
        "machine": described,
        "file_bytes": FILE_BYTES,
        "trips": [asdict(trip) for trip in bench.trips],
        "not_measured": bench.missing,
    }
    options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if not bench.trips:
        sys.exit(1)


if __name__ == "__main__":
    main()
