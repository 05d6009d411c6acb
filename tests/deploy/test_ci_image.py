"""An image on its way to a registry: pushed by digest, with the list of its parts."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from ci_image import written
from ci_servers import PROJECT, registry, script

LIBTORCH = PROJECT / "requirements-libtorch-cpu.txt"
PLAIN = {"REGISTRY_TLS_VERIFY": "false"}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("registry") / "one") as host:
        yield host


@pytest.fixture
def home(tmp_path):
    """A home of its own, so that no login of whoever runs this counts."""
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), **PLAIN}


def test_two_registries_get_the_same_bytes_and_the_digest_is_printed(host, home, tmp_path):
    image = written(tmp_path / "image")
    with registry(tmp_path / "two") as other:
        printed, _ = script("push-image", image, f"{host}/a/serve:1.2.3", f"{other}/serve:1.2.3", **home)
        names = printed.split()
        assert re.fullmatch(rf"{host}/a/serve@sha256:[0-9a-f]{{64}}", names[0])
        assert names[1] == names[0].replace(f"{host}/a", other)
        # The same again moves nothing.
        assert script("push-image", image, f"{host}/a/serve:1.2.3", **home)[0].split() == names[:1]


def test_a_tag_is_never_moved_to_another_image(host, home, tmp_path):
    first, _ = script("push-image", written(tmp_path / "one"), f"{host}/moved:1.2.3", **home)
    _, log = script("push-image", written(tmp_path / "two", note="two"), f"{host}/moved:1.2.3", code=1, **home)
    assert "is there already" in log
    assert "raise the version" in log
    again, _ = script("push-image", written(tmp_path / "one again"), f"{host}/moved:1.2.3", **home)
    assert again == first


@pytest.mark.parametrize(
    ("name", "words"),
    [("serve:latest", "another image tomorrow"), ("serve", "has no tag"), (f"serve@sha256:{'0' * 64}", "name a tag")],
)
def test_a_name_that_says_too_little_is_refused_before_anything_is_pushed(host, home, tmp_path, name, words):
    image = written(tmp_path / "image")
    first = f"{host}/before-{len(name)}:1.2.3"
    _, log = script("push-image", image, first, f"{host}/{name}", code=1, **home)
    assert words in log
    # Nothing is at the first name, or it would not be moved to another image.
    script("push-image", written(tmp_path / "other", note="other"), first, **home)


def test_a_registry_that_is_down_is_named(home, tmp_path):
    _, log = script("push-image", written(tmp_path / "image"), "127.0.0.1:1/serve:1.2.3", code=1, **home)
    assert "127.0.0.1:1/serve:1.2.3 cannot be looked up" in log


def test_a_login_opens_a_registry_and_a_wrong_one_does_not(home, tmp_path):
    image = written(tmp_path / "image")
    with registry(tmp_path / "closed", with_login=True) as closed:
        _, log = script("push-image", image, f"{closed}/serve:1.2.3", code=1, **home)
        assert "cannot be looked up" in log
        _, log = script("log-in", closed, code=1, **home)
        assert "REGISTRY_USER and REGISTRY_PASSWORD" in log
        script("log-in", closed, code=1, REGISTRY_USER="tests", REGISTRY_PASSWORD="guess", **home)
        printed, log = script("log-in", closed, REGISTRY_USER="tests", REGISTRY_PASSWORD="secret", **home)
        assert "secret" not in printed + log
        assert script("push-image", image, f"{closed}/serve:1.2.3", **home)[0].startswith(f"{closed}/serve@sha256:")


def syft():
    """A folder for PATH with the syft that deploy/ci/requirements.txt installs."""
    beside = Path(sys.executable).with_name("syft")
    path = shutil.which("syft") or (str(beside) if beside.exists() else None)
    if path is None:
        assert not os.environ.get("HOUNSFIELD_REQUIRE_SYFT"), "syft is missing: deploy/ci/requirements.txt"
        pytest.skip("syft is missing: deploy/ci/requirements.txt")
    return f"{Path(path).parent}:{os.environ['PATH']}"


@pytest.fixture
def crates(tmp_path):
    """A list as make sbom writes it."""
    file = tmp_path / "hounsfield.cdx.json"
    part = {"type": "library", "name": "tch", "version": "0.24.0", "purl": "pkg:cargo/tch@0.24.0", "bom-ref": "tch"}
    file.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [part]}), encoding="utf-8")
    return file


def test_the_list_of_parts_has_packages_and_crates(tmp_path, crates):
    image = written(tmp_path / "image").removesuffix(":it").replace("oci:", "oci-dir:")
    printed, _ = script("image_parts.py", image, crates, LIBTORCH, PATH=syft())
    whole = json.loads(printed)
    assert whole["bomFormat"] == "CycloneDX"
    assert re.fullmatch(r"1\.[5-9]", whole["specVersion"])
    assert whole["metadata"]["component"]["type"] == "container"
    names = {part.get("purl", "").split("?")[0] for part in whole["components"]}
    assert {"pkg:deb/debian/libc6@2.36-9%2Bdeb12u10", "pkg:cargo/tch@0.24.0"} <= names
    (torch,) = (part for part in whole["components"] if part["name"] == "torch")
    assert f"torch=={torch['version']}" in LIBTORCH.read_text(encoding="utf-8")


def test_a_list_that_is_not_whole_is_none(tmp_path, crates):
    bare = written(tmp_path / "bare", files={"etc/os-release": "ID=debian\n"}).removesuffix(":it")
    _, log = script("image_parts.py", bare.replace("oci:", "oci-dir:"), crates, LIBTORCH, code=1, PATH=syft())
    assert "no list of Debian packages" in log
    crates.write_text('{"components": []}', encoding="utf-8")
    image = written(tmp_path / "image").removesuffix(":it").replace("oci:", "oci-dir:")
    _, log = script("image_parts.py", image, crates, LIBTORCH, code=1, PATH=syft())
    assert "the list of crates is empty" in log


@pytest.mark.parametrize("name", ["sign-image", "verify-image"])
def test_only_a_digest_is_signed_and_believed(name, crates):
    _, log = script(name, "registry.example.org/serve:1.2.3", *([crates] if name == "sign-image" else []), code=1)
    assert "digest" in log
