"""Temporary project folders that the stage programs run in, and image sets of any size."""

import csv
import hashlib
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from measure import NotMeasured, Run, run

Row = dict[str, str]

# The augmentation in tutorials of Keras' ImageDataGenerator, and in keras_reference.py.
AUGMENTATION = {
    "rotation_degrees": "40.0",
    "width_shift": "0.2",
    "height_shift": "0.2",
    "shear_degrees": "0.2",
    "zoom": "0.2",
    "horizontal_flip": "true",
}


@dataclass(frozen=True)
class Project:
    """A folder with config.yaml and params.yaml, and the programs that run in it."""

    folder: Path
    programs: Path
    logs: Path

    def stage(self, name: str, *arguments: str, log: str = "", timeout_s: float = 1800) -> Run:
        """Runs a stage program, found in the folder of programs."""
        program = self.programs / name
        if not program.is_file():
            raise NotMeasured(f"{program} is missing; run scripts/stage --build")
        return run([program, *arguments], self.folder, self.logs / f"{log or name}.log", timeout_s)

    @property
    def images(self) -> Path:
        return self.folder / "artifacts/data_ingestion"

    @property
    def base(self) -> Path:
        return self.folder / "artifacts/base_model/base_model.safetensors"

    def rows(self) -> list[Row]:
        """The images in use, as validate lists them."""
        with (self.folder / "artifacts/data_validation/manifest.csv").open(newline="") as file:
            return [row for row in csv.DictReader(file) if not row["excluded"]]

    def forget_training(self) -> None:
        """Makes the next training a cold one: without features, checkpoints or an unfinished run."""
        for name in ("features", "model_training", "training_work"):
            shutil.rmtree(self.folder / "artifacts" / name, ignore_errors=True)

    def forget_runs(self) -> None:
        """Makes the next training start again, with the existing features."""
        for name in ("model_training", "training_work"):
            shutil.rmtree(self.folder / "artifacts" / name, ignore_errors=True)


# What studies of real scans start from.
TEMPLATES = Path("crates/tools/hounsfield/templates")


def with_value(text: str, section: str, key: str, value: str) -> str:
    """params.yaml with `key` of a section changed: the file is flat enough to find the line."""
    start = re.search(rf"^{section}:$", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"params.yaml has no section {section}")
    end = re.search(r"^\S", text[start.end() :], re.MULTILINE)
    stop = start.end() + end.start() if end else len(text)
    body, count = re.subn(
        rf"^(\s+{key}:) *[^#\n]*?(\s*(?:#.*)?)$", rf"\g<1> {value}\g<2>", text[start.end() : stop], flags=re.MULTILINE
    )
    if count != 1:
        raise ValueError(f"params.yaml: section {section} has {key} {count} times, expected once")
    return text[: start.end()] + body + text[stop:]


def by_epochs(text: str) -> str:
    """params.yaml with a head that learns by epochs, like the peers' heads, instead of a solved one."""
    descent = (
        "  solve: null\n"
        "  descent:\n"
        "    epochs: 20\n"
        "    learning_rate: 0.0001\n"
        "    augmentation:\n"
        + "".join(f"      {key}: 0.0\n" for key in AUGMENTATION if key != "horizontal_flip")
        + "      horizontal_flip: false\n"
        "      fill_mode: nearest\n"
        "      fill_value: 0.0\n"
        "      views: 0\n"
    )
    text, count = re.subn(r"^  solve:.*?^  descent: null[^\n]*\n", descent, text, flags=re.MULTILINE | re.DOTALL)
    if count != 1:
        raise ValueError("params.yaml: section train has no solve and descent: null, one after the other")
    return with_value(text, "prepare_base", "kind", "flatten")


def with_augmentation(text: str, views: int) -> str:
    """params.yaml of a head that learns by epochs, with the tutorials' augmentation."""
    for key, value in {**AUGMENTATION, "views": str(views)}.items():
        text = with_value(text, "train", key, value)
    return text


def real_scans_params(root: Path, image_size: int | None) -> str:
    """The parameters of real scans, for images of another size where one is asked for. Weights are drawn:
    they take as long as others, and need neither a network nor a file. The head learns by epochs, as the
    peers' do."""
    text = (root / TEMPLATES / "params.yaml").read_text()
    text = by_epochs(with_value(text, "prepare_base", "weights", "random"))
    return text if image_size is None else with_value(text, "prepare_base", "image_size", str(image_size))


def create(
    root: Path, folder: Path, programs: Path, logs: Path, profile: str, data: Path | None, params: str
) -> Project:
    """A project on `data`, or on the synthetic sample."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(params)
    shutil.copy(root / TEMPLATES / f"{profile}.yaml" if data else root / "config.yaml", folder / "config.yaml")
    if data:
        (folder / "data").symlink_to(data)
    return Project(folder, programs, logs)


def make_inputs(project: Project) -> None:
    """The inputs of train: images, manifest, base."""
    for stage in ("ingest", "validate", "prepare-base"):
        project.stage(stage)


def derive(project: Project, folder: Path, rows: list[Row], params: str) -> Project:
    """A project with some of another one's images: the same base, the same files, its own manifest."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "artifacts/data_validation").mkdir(parents=True)
    shutil.copy(project.folder / "config.yaml", folder / "config.yaml")
    (folder / "params.yaml").write_text(params)
    (folder / "artifacts/base_model").symlink_to(project.folder / "artifacts/base_model")
    (folder / "artifacts/data_ingestion").symlink_to(project.images)
    write_manifest(folder / "artifacts/data_validation/manifest.csv", rows)
    return Project(folder, project.programs, project.logs)


def write_manifest(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["path"]))


def part_of(rows: list[Row], one_in: int) -> list[Row]:
    """One in a given number of training and validation images, at least one of each class."""
    chosen: list[Row] = []
    for split in ("train", "valid"):
        for name in sorted({row["class"] for row in rows}):
            chosen += [row for row in rows if row["split"] == split and row["class"] == name][::one_in]
    return chosen


def grow(project: Project, folder: Path, images: int) -> Project:
    """A project of so many different images: nine of ten for training, the others for validation.

    The pictures are the project's own, over and over. Each gets a comment of its own, so that no
    two files have one digest and nothing is computed once for several.
    """
    originals = interleaved(project.rows())
    rows = []
    files = folder / "artifacts/data_ingestion"
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(images):
        original = originals[number % len(originals)]
        split = "valid" if number % 10 == 9 else "train"
        path = f"{split}/{original['class']}/{number:05}{Path(original['path']).suffix}"
        body = with_comment((project.images / original["path"]).read_bytes(), number)
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_bytes(body)
        rows.append(
            {
                **original,
                "path": path,
                "split": split,
                "original_split": split,
                "sha256": hashlib.sha256(body).hexdigest(),
                "duplicate_group": "",
                "group": str(number),
            }
        )
    validation = folder / "artifacts/data_validation"
    validation.mkdir()
    write_manifest(validation / "manifest.csv", rows)
    for name in ("config.yaml", "params.yaml"):
        shutil.copy(project.folder / name, folder / name)
    (folder / "artifacts/base_model").symlink_to(project.folder / "artifacts/base_model")
    return Project(folder, project.programs, project.logs)


def interleaved(rows: list[Row]) -> list[Row]:
    """The classes in turn, so that a small set has all of them."""
    at_of: dict[str, int] = {}
    keyed = []
    for row in rows:
        at = at_of.get(row["class"], 0)
        at_of[row["class"]] = at + 1
        keyed.append(((at, row["class"]), row))
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]


def with_comment(body: bytes, number: int) -> bytes:
    """The same picture in other bytes: a comment in a PNG or JPEG, a byte more in other formats."""
    text = f"copy {number}".encode()
    if body.startswith(b"\x89PNG"):
        end = body.rindex(b"IEND") - 4
        chunk = b"tEXtComment\0" + text
        framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return body[:end] + framed + body[end:]
    if body.startswith(b"\xff\xd8"):
        return body[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + body[2:]
    return body + text


def copy_of_repository(root: Path, folder: Path, profile: str, data: Path | None, params: str) -> Path:
    """A copy of what git tracks, in a repository of its own, with the scans in place of the sample.

    It lies below the project, so that scripts/stage finds libtorch and the programs built already.
    """
    shutil.rmtree(folder, ignore_errors=True)
    listed = git(root, "ls-files", "-z")
    for name in filter(None, listed.split("\0")):
        source, target = root / name, folder / name
        if not (source.exists() or source.is_symlink()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    git(folder, "init", "--quiet", "--initial-branch=main")
    if data:
        shutil.copy(root / TEMPLATES / f"{profile}.yaml", folder / "config.yaml")
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / "data").symlink_to(data)
    (folder / "params.yaml").write_text(params)
    forget_pipeline(folder)
    git(folder, "add", "--all")
    git(
        folder,
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@localhost",
        "commit",
        "--quiet",
        "--message",
        "as it is",
    )
    return folder


def forget_pipeline(dvc_root: Path) -> None:
    """Makes the next `dvc repro` a cold one."""
    for name in ("artifacts", "model", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(dvc_root / name, ignore_errors=True)
    (dvc_root / "dvc.lock").unlink(missing_ok=True)


def git(folder: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotMeasured(f"git {arguments[0]}: {getattr(error, 'stderr', '') or error}") from None
