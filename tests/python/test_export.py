"""`hounsfield export`: a model as ONNX answers as the loader does, on pictures that it was not compared on."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import hounsfield
from built_programs import stage_programs
from hounsfield import hounsfield_model
from hounsfield.export import __main__ as command
from hounsfield.export import network
from hounsfield.export.resizing import resized
from small_models import HEADS, params
from small_pipeline import Pipeline

TOLERANCE = 1e-4
# Each with the cut points of its base, and a side in pixels that leaves more than one place in the last maps.
BASES = {"resnet18": ("layer4", 40), "vit_small_patch14_dinov2": ("norm", 42)}
NAMES = ["linear", "kernel", "bf16", *BASES]


def configured(name):
    """params.yaml of a model that is solved in seconds."""
    if name in BASES:
        cut, side = BASES[name]
        made = params({"kind": "linear", "hidden_units": 0, "image_size": side})
        made["prepare_base"]["architecture"] = name
        made["train"]["normalisation"] = "auto"
        made["train"]["solve"] = {"folds": 2, "strengths": [0.3], "widths": [], "cuts": [[cut]]}
        return made
    return params(HEADS[name])


def change(folder, changes):
    """Changes keys of model.json."""
    path = folder / "model.json"
    described = json.loads(path.read_text())
    for (*keys, last), value in changes.items():
        part = described
        for key in keys:
            part = part[key]
        part[last] = value
    path.write_text(json.dumps(described))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A function that makes a model by its name, once. Images lie in the study of the linear one."""
    root = tmp_path_factory.mktemp("models")
    data = root / "linear" / "artifacts"
    programs = stage_programs()
    made = {}

    def make(name):
        if name == "bf16" and name not in made:
            made[name] = root / name / "model"
            shutil.copytree(make("kernel"), made[name])
            change(made[name], {("precision",): "bf16"})
        if name not in made:
            pipeline = Pipeline(programs, root / name, HEADS["linear"], data)
            if not data.exists():
                pipeline.run("ingest")
                pipeline.run("validate")
            (pipeline.folder / "params.yaml").write_text(json.dumps(configured(name)), encoding="utf-8")
            for stage in ("prepare-base", "train", "select", "calibrate"):
                pipeline.run(stage)
            made[name] = pipeline.folder / "model"
        return made[name]

    make("linear")
    return make


@pytest.fixture(scope="module")
def images(models):
    """The folder of the images, with a folder for each split."""
    return models("linear").parent / "artifacts" / "data_ingestion"


def exported(folder, output, *arguments):
    """The exit code, and what was written to standard output and standard error."""
    out, log = io.StringIO(), io.StringIO()
    options = ["--format", "onnx", "--model", folder, "--output", output, *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(log):
        code = command.main([str(it) for it in options])
    return code, out.getvalue(), log.getvalue()


def others(images):
    """Pictures of the test split, one of 16 bits and one in colours: none was in a comparison."""
    files = [file.read_bytes() for file in sorted((images / "test").rglob("*.png"))][:8]
    generator = np.random.default_rng(5)
    deep, colours = io.BytesIO(), io.BytesIO()
    Image.fromarray(generator.integers(0, 65536, (90, 70)).astype(np.uint16)).save(deep, "PNG")
    Image.fromarray(generator.integers(0, 256, (33, 120, 3), dtype=np.uint8)).save(colours, "PNG")
    return [*files, colours.getvalue(), deep.getvalue()]


def by_loader(folder, files, *, in_fp32=False):
    model = hounsfield_model.Model(folder)
    if in_fp32:
        network.in_fp32(model)
    return model.probabilities(torch.from_numpy(np.stack([model.planes(file) for file in files])))


def prepared(folder, file):
    """The recipe of the documents."""
    described = json.loads((folder / "model.json").read_text())["preprocessing"]
    pixels = hounsfield_model.decode(file)
    small = hounsfield_model.resize(pixels, described["image_size"], described.get("interpolation", "bilinear"))
    small = np.broadcast_to(small, (*small.shape[:2], 3)).transpose(2, 0, 1).astype(np.float32)
    return small / 257 if pixels.dtype == np.uint16 else small


def properties(path):
    return {it.key: it.value for it in onnx.load(path).metadata_props}


@pytest.mark.parametrize("name", NAMES)
def test_the_file_answers_as_the_loader_on_other_pictures(models, images, tmp_path, name):
    folder, path = models(name), tmp_path / "model.onnx"
    arguments = [] if name == "linear" else ["--images", images / "valid"]
    code, said, log = exported(folder, path, *arguments)
    assert code == 0, log
    assert said.startswith(f"wrote {path}: ")
    assert ("bf16" in said) == (name == "bf16")
    files = others(images)
    inputs = np.stack([prepared(folder, file) for file in files])
    expected = by_loader(folder, files, in_fp32=name == "bf16")
    # A model that answers alike for every picture would pass that with ease.
    assert expected.std(axis=0).max() > 20 * TOLERANCE
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape[1:] == list(inputs.shape[1:])
    for count in (1, 5):
        found = session.run(["probabilities"], {"image": inputs[-count:]})[0]
        worst = np.abs(found - expected[-count:]).max()
        print(f"{name}, {count} pictures: probabilities differ by up to {worst:.1e}")
        assert worst <= TOLERANCE
    assert sorted(it.name for it in tmp_path.iterdir()) == ["model.onnx"]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_with_pixels_it_takes_any_size_and_resizes_as_the_loader(models, images, tmp_path, interpolation):
    folder = tmp_path / "model"
    shutil.copytree(models("linear"), folder)
    change(folder, {("preprocessing", "interpolation"): interpolation})
    code, _, log = exported(folder, tmp_path / "model.onnx", "--pixels", "--images", images / "valid")
    assert code == 0, log
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    files = others(images)[:-1]
    expected = by_loader(folder, files)
    for file, row in zip(files, expected, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        found = session.run(None, {"image": np.stack([pixels] * 3)})[0]
        assert found.shape == (3, len(row))
        assert np.abs(found - row).max() <= TOLERANCE


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resizing_in_the_file_is_exact(tmp_path, interpolation):
    class Resizing(torch.nn.Module):
        def forward(self, image):
            return resized(image, 41, interpolation)

    path = tmp_path / "resizing.onnx"
    axes = {"image": {0: "images", 1: "height", 2: "width"}}
    example = torch.zeros((1, 50, 60, 3), dtype=torch.uint8)
    torch.onnx.export(
        Resizing(), (example,), path, dynamo=False, opset_version=17, input_names=["image"], dynamic_axes=axes
    )
    session = onnxruntime.InferenceSession(path)
    generator = np.random.default_rng(7)
    for height, width in [(183, 250), (41, 41), (41, 90), (7, 300), (1, 1), (20, 30), (512, 511)]:
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = session.run(None, {"image": pixels[None]})[0][0].transpose(1, 2, 0)
        expected = hounsfield_model.resize(pixels, 41, interpolation)
        assert (found == expected).all(), f"{height} × {width}"


def test_a_multi_scale_head_of_an_older_model(models, images, tmp_path):
    """The programs make none any more. Its cells are not of one size at 70 pixels."""
    folder = tmp_path / "model"
    shutil.copytree(models("linear"), folder)
    (folder / "calibration.json").unlink()
    weights = load_file(folder / "trained_model.safetensors")
    kept = {name: it for name, it in weights.items() if name.startswith("features.")}
    columns = 17 * (64 + 128 + 256 + 512 + 512)
    kept["classifier.0.weight"] = torch.randn((4, columns), generator=torch.Generator().manual_seed(1)) / 20
    kept["classifier.0.bias"] = torch.zeros(4)
    save_file(kept, folder / "trained_model.safetensors")
    digest = hashlib.sha256((folder / "trained_model.safetensors").read_bytes()).hexdigest()
    change(folder, {("architecture", "head", "kind"): "multi_scale", ("digests", "weights"): digest})
    code, _, log = exported(folder, tmp_path / "model.onnx", "--images", images / "valid")
    assert code == 0, log
    files = others(images)
    inputs = np.stack([prepared(folder, file) for file in files])
    found = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"image": inputs})[0]
    assert np.abs(found - by_loader(folder, files)).max() <= TOLERANCE


def test_the_file_says_where_it_is_from(models, tmp_path):
    folder, path = models("linear"), tmp_path / "model.onnx"
    code, said, log = exported(folder, path, "--opset", "20")
    assert code == 0, log
    found = properties(path)
    described = json.loads((folder / "model.json").read_text())
    weights = hashlib.sha256((folder / "trained_model.safetensors").read_bytes()).hexdigest()
    assert found["notice"] == "Research use only. Not a medical device."
    assert found["model_digest"] == f"sha256:{weights}"
    assert json.loads(found["classes"]) == described["architecture"]["classes"]
    assert (found["image_size"], found["interpolation"]) == ("70", "bilinear")
    assert (found["opset"], found["parity_images"]) == ("20", "8")
    assert 0 <= float(found["parity_largest_difference"]) <= TOLERANCE
    assert "on 8 pictures" in said
    assert found["torch"] == torch.__version__
    assert (found["onnx"], found["onnxruntime"]) == (onnx.__version__, onnxruntime.__version__)
    assert onnx.load(path).opset_import[0].version == 20


def test_a_file_that_answers_otherwise_never_appears(models, tmp_path, monkeypatch):
    """Also where a file of that name is there: it stays as it was."""
    written = network.write

    def damaged(made, path, opset):
        written(made, path, opset)
        content = onnx.load(path)
        weight = next(it for it in content.graph.initializer if it.name.endswith("classifier_0_bias"))
        values = onnx.numpy_helper.to_array(weight).copy()
        values[0] += 0.01
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        onnx.save(content, path)

    monkeypatch.setattr(network, "write", damaged)
    output = tmp_path / "model.onnx"
    code, said, log = exported(models("linear"), output)
    assert (code, said) == (1, "")
    assert log.startswith(f"hounsfield: failed to export {models('linear')}: nothing was written: on 8 pictures")
    assert "1e-04 is the limit" in log
    assert not any(tmp_path.iterdir())
    output.write_bytes(b"an older file")
    assert exported(models("linear"), output)[0] == 1
    assert output.read_bytes() == b"an older file"
    assert len(list(tmp_path.iterdir())) == 1


def test_without_pictures_it_refuses(models, images, tmp_path):
    lonely = tmp_path / "model"
    shutil.copytree(models("linear"), lonely)
    output = tmp_path / "model.onnx"
    code, said, log = exported(lonely, output)
    assert (code, said) == (1, "")
    assert log.startswith(f"hounsfield: failed to export {lonely}: there is no study around")
    assert "--images FOLDER" in log
    texts = tmp_path / "texts"
    texts.mkdir()
    assert "no pictures to compare on" in exported(lonely, output, "--images", texts)[2]
    (texts / "notes.txt").write_text("no picture")
    assert "none of the 1 files is a picture" in exported(lonely, output, "--images", texts)[2]
    assert "there is no such folder" in exported(lonely, output, "--images", tmp_path / "absent")[2]
    shutil.copy(next((images / "valid").rglob("*.png")), texts)
    code, said, _ = exported(lonely, output, "--images", texts)
    assert (code, "on 1 pictures (1 files cannot be compared)" in said) == (0, True)


@pytest.mark.parametrize("wrong", [["--format", "tflite"], [], ["--format", "onnx", "--opset", "3"]])
def test_wrong_usage_ends_with_2(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        command.main(wrong)
    assert ended.value.code == 2
    assert not any(tmp_path.iterdir())


def test_as_a_command_it_takes_the_model_of_its_folder(models, tmp_path):
    (tmp_path / "model").symlink_to(models("linear"))
    (tmp_path / "artifacts").symlink_to(models("linear").parent / "artifacts")
    run = [sys.executable, "-m", "hounsfield.export", "--format", "onnx"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote model.onnx: 58.9 MB, opset 17; its probabilities are the model's to ")
    assert (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.json").write_text("{"), "is damaged"),
        (lambda folder: (folder / "model.json").unlink(), "holds no model"),
        (lambda folder: (folder / "model.json").write_text('{"format": 9}'), "is of format 9"),
        (lambda folder: os.truncate(folder / "trained_model.safetensors", 1000), "or is damaged"),
        (lambda folder: (folder / "trained_model.safetensors").unlink(), "trained_model.safetensors"),
        (lambda folder: (folder / "calibration.json").write_text("{}"), "its files lack 'model'"),
    ],
)
def test_a_damaged_model_is_refused(models, images, tmp_path, damage, said):
    folder = tmp_path / "model"
    shutil.copytree(models("linear"), folder)
    damage(folder)
    code, _, log = exported(folder, tmp_path / "model.onnx", "--images", images / "valid")
    assert code == 1
    assert log.startswith(f"hounsfield: failed to export {folder}: ")
    assert said in log
    assert "Traceback" not in log
    assert [it.name for it in tmp_path.iterdir()] == ["model"]


def test_a_model_that_was_exported_is_also_loaded(models, images):
    """Models of the present format, by the package."""
    model = hounsfield.load(models("resnet18"), engine="torch", device="cpu")
    file = min((images / "test").rglob("*.png"))
    found = model.predict(file)
    expected = by_loader(models("resnet18"), [file.read_bytes()])[0]
    if found.accepted:
        assert np.abs(np.array(list(found.probabilities.values())) - expected).max() <= TOLERANCE
