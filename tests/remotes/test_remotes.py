"""Push, lose everything, pull: with the commands of docs/remotes.md, on real servers."""

import re
import shutil
from pathlib import Path

import pytest

from document import PROJECT, commands
from dvc_remotes import google, s3, ssh, webdav

UP_TO_DATE = "up to date"


@pytest.fixture
def server_folder(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    return folder


def missing(project, kind):
    """Whether DVC lacks what a kind needs; the tests before this one may have brought it."""
    return not (project.folder / f".venv/made-from-remote-{kind}").exists()


def set_up(project, heading, kind, replaced):
    """Types the commands of a section of the page, with addresses and keys of the test in place of those it shows."""
    lines = commands(heading)
    for shown, ours in replaced.items():
        assert any(shown in line for line in lines), f"docs/remotes.md does not show {shown}"
        lines = [line.replace(shown, ours) for line in lines]
    setup = f"make setup REMOTES={kind}"
    assert lines[0] == setup
    # Whoever configures the remote first is told what is missing, and the page's command brings it.
    for line in lines[1:]:
        project.shell(line)
    if missing(project, kind):
        assert f"requires 'dvc-{kind}'" in project.shell("dvc push", code=255)
    project.shell(setup)
    assert project.shell(setup) == "", "the second make setup does nothing"


def round_trip(project, clone):
    """Pushes, loses all, pulls it back; and a colleague pulls it."""
    before, runs = project.outputs(), project.runs()
    assert len(before) == 6
    project.shell("dvc push")
    project.lose()
    project.shell("dvc pull")
    assert project.outputs() == before
    assert UP_TO_DATE in project.shell("dvc status")
    colleague = project.cloned(clone)
    keys = project.folder / ".dvc/config.local"
    if keys.exists():
        assert not (colleague.folder / ".dvc/config.local").exists(), "keys are in git"
        shutil.copy(keys, colleague.folder / ".dvc/config.local")
    colleague.shell("make setup")
    colleague.shell("dvc pull")
    assert colleague.outputs() == before
    assert UP_TO_DATE in colleague.shell("dvc repro")
    assert UP_TO_DATE in colleague.shell("dvc status")
    assert (project.runs(), colleague.runs()) == (runs, 0)


def test_s3_and_a_fork_that_may_only_read(project, server_folder, tmp_path):
    with s3(server_folder) as address:
        set_up(project, "S3 and servers like it", "s3", {"https://minio.example.org:9000": address})
        round_trip(project, tmp_path / "clone")
        # No key, and another address of the same bucket.
        fork = project.cloned(tmp_path / "fork")
        for line in commands("Forks"):
            fork.shell(line.replace("https://my-bucket.s3.amazonaws.com", f"{address}/my-bucket"))
        assert fork.outputs() == project.outputs()
        assert UP_TO_DATE in fork.shell("dvc repro")


def test_google_cloud_storage(project, server_folder, tmp_path):
    with google(server_folder) as address:
        signed_in = {"--local shelf credentialpath ~/hounsfield-key.json": "--local shelf allow_anonymous_login true"}
        set_up(project, "Google Cloud Storage", "gs", signed_in)
        project.shell(f"dvc remote modify --local shelf endpointurl {address}")
        round_trip(project, tmp_path / "clone")


def test_ssh(project, server_folder, tmp_path):
    with ssh(server_folder) as (host, key):
        replaced = {"me@host.example.org/srv": f"{host}{server_folder}", "~/.ssh/id_ed25519": str(key)}
        set_up(project, "SSH", "ssh", replaced)
        round_trip(project, tmp_path / "clone")
        assert list((server_folder / "hounsfield/files/md5").glob("*/*"))


def test_webdav(project, server_folder, tmp_path):
    with webdav(server_folder) as (host, password):
        replaced = {"webdavs://cloud.example.org": f"webdav://{host}", "MY-PASSWORD": f"'{password}'"}
        set_up(project, "WebDAV", "webdav", replaced)
        round_trip(project, tmp_path / "clone")
        project.shell("dvc remote modify --local shelf password wrong")
        assert "401" in project.shell("dvc status --cloud", code=255)


def test_a_shared_folder_and_scans_that_a_colleague_lacks(project, tmp_path):
    """The folder that DATA names is not pushed, and what is made of it is."""
    project.shell("git rm -r --quiet --cached scans && echo /scans >>.gitignore")
    for line in commands("A shared folder"):
        project.shell(line.replace("/mnt/shelf", str(tmp_path / "shelf")))
    project.shell("dvc push")
    colleague = project.cloned(tmp_path / "clone")
    colleague.shell("dvc pull")
    assert colleague.outputs() == project.outputs()
    assert "deleted:            scans" in colleague.shell("dvc status")
    assert UP_TO_DATE in colleague.shell("dvc repro --allow-missing")
    assert colleague.runs() == 0


def test_one_stage_is_pushed_without_the_others(project, tmp_path):
    project.shell(f"dvc remote add --default shelf '{tmp_path}/shelf' && dvc push train")
    colleague = project.cloned(tmp_path / "clone")
    colleague.shell("dvc pull train")
    assert [str(name) for name in colleague.outputs()] == ["weights.bin"]
    assert len([file for file in (tmp_path / "shelf").rglob("*") if file.is_file()]) == 1


def test_scans_are_added_as_a_copy_and_not_as_a_link(project, tmp_path):
    shutil.move(project.folder / "scans", tmp_path / "scans")
    (project.folder / "data").symlink_to(tmp_path / "scans")
    assert "symlinked" in project.shell("dvc add data", code=1)
    (project.folder / "data").unlink()
    project.shell(f"cp -r '{tmp_path}/scans' data && dvc add data")
    project.shell(f"dvc remote add --default shelf '{tmp_path}/shelf' && dvc push data.dvc")
    colleague = project.cloned(tmp_path / "clone")
    colleague.shell("dvc pull data.dvc")
    assert (colleague.folder / "data/3.png").read_bytes() == (tmp_path / "scans/3.png").read_bytes()


def test_setup_installs_what_the_remotes_of_the_project_need(project):
    urls = {
        ".dvc/config": "ssh://me@host.example.org/srv",
        ".dvc/config.local": "s3://my-bucket",
        "studies/chest-ct/.dvc/config": "webdavs://cloud.example.org/me",
    }
    for config, url in urls.items():
        path = project.folder / config
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"['remote \"shelf\"']\n    url = {url}\n")
    # As if the tests before this one had installed nothing.
    project.shell("rm -f .venv/made-from-remote-*")
    installed = re.findall(r"requirements-remote-(\w+)\.txt", project.shell("make setup"))
    assert sorted(installed) == ["s3", "ssh", "webdav"]
    assert project.shell("make setup") == ""


def test_other_kinds_are_refused_with_the_list(project):
    said = project.shell("make setup REMOTES=ssh,ftp", code=2)
    assert "REMOTES names ftp; expected some of: gs s3 ssh webdav" in said


def test_every_kind_has_versions_that_fit_those_of_dvc_and_of_the_other_kinds():
    versions: dict[str, set[str]] = {}
    for file in [PROJECT / "requirements.txt", *PROJECT.glob("requirements-remote-*.txt")]:
        for line in file.read_text(encoding="utf-8").splitlines():
            if "==" in line and not line.startswith("#"):
                name, version = line.rstrip(" \\").split("==", 1)
                versions.setdefault(name + version.partition(";")[2], set()).add(version)
    assert len(versions) > 100
    assert {name for name, found in versions.items() if len(found) > 1} == set()


def test_the_page_names_every_kind():
    page = (PROJECT / "docs/remotes.md").read_text(encoding="utf-8")
    kinds = [Path(file).stem.removeprefix("requirements-remote-") for file in PROJECT.glob("requirements-remote-*.txt")]
    assert {kind for kind in kinds if f"make setup REMOTES={kind}\n" not in page} == set()
