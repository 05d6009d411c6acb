"""Predictions from Python are those of the programs, whatever computes them and however an image comes."""

import io
from typing import Literal

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

import hounsfield
from hounsfield import hounsfield_model
from small_study import change

TOLERANCE = 1e-4
ENGINES: list[Literal["torch", "program"]] = ["torch", "program"]


@pytest.fixture(scope="session")
def models(made):
    """The same model in both engines."""
    return {engine: hounsfield.load(made.path, engine=engine) for engine in ENGINES}


@pytest.fixture(params=ENGINES)
def model(request, models):
    return models[request.param]


@pytest.fixture(scope="session")
def images(made):
    """The test images, in the order of predictions.csv."""
    return [made.path / "artifacts" / "data_ingestion" / path for path in made.predictions["path"]]


def probabilities(predictions):
    return np.array([list(it.probabilities.values()) for it in predictions])


def patterns():
    """Pictures of kinds that no model was trained on, and some that it may take."""
    generator = np.random.default_rng(3)
    ramp = np.linspace(0, 255, 90 * 70).reshape(70, 90).astype(np.uint8)
    blocks = np.kron(generator.integers(0, 256, (6, 6)), np.ones((16, 16))).astype(np.uint8)
    disc = np.where(np.hypot(*np.mgrid[-40:40, -40:40]) < 30, 160, 20).astype(np.uint8)
    return [
        np.zeros((40, 50), np.uint8),
        np.full((64, 64), 255, np.uint8),
        ramp,
        blocks,
        disc,
        generator.integers(0, 256, (64, 64), dtype=np.uint8),
        np.stack([ramp, ramp[::-1], ramp], axis=2),
        disc.astype(np.uint16) * 257,
        np.stack([disc, disc, disc], axis=2).astype(np.uint16) * 257,
        generator.integers(0, 65536, (64, 64, 3)).astype(np.uint16),
    ]


def test_each_engine_agrees_with_what_evaluate_wrote(made, model, images):
    expected = made.predictions
    frame = model.predict(images, strict=False).to_frame()
    accepted = frame["accepted"].to_numpy(bool)
    # A few are foreign by the choice of the limits.
    assert accepted.mean() > 0.8
    columns = [f"prob_{name}" for name in model.classes]
    worst = np.abs(frame[columns].to_numpy(float) - expected[columns].to_numpy())[accepted].max()
    print(f"{model.engine}: probabilities differ from those of evaluate by up to {worst:.1e}")
    assert worst <= TOLERANCE
    assert (frame["predicted"] == expected["predicted"])[accepted].all()
    # A model that answers alike for every image would pass that with ease.
    assert expected[columns].to_numpy().std(axis=0).max() > 20 * TOLERANCE


def test_both_engines_agree_and_refuse_the_same_images(models, images):
    pictures = [*images, *patterns()]
    torch, program = (models[engine].predict(pictures) for engine in ENGINES)
    assert [it.accepted for it in torch] == [it.accepted for it in program]
    assert not all(it.accepted for it in torch)
    # Numbers in reasons have three digits, the last of which may be rounded either way.
    assert [it.reason and it.reason.split(":")[0] for it in torch] == [
        it.reason and it.reason.split(":")[0] for it in program
    ]
    kept = [place for place, it in enumerate(torch) if it.accepted]
    found, expected = (probabilities([said[place] for place in kept]) for said in (torch, program))
    worst = np.abs(found - expected).max()
    print(f"torch and program differ by up to {worst:.1e} on {len(kept)} images")
    assert worst <= TOLERANCE


HEADS = {
    "kernel": {"kind": "kernel"},
    "flatten": {"kind": "flatten"},
    "global_pool": {"kind": "global_pool"},
}


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_checked_and_predicted_alike(copy, images, head):
    descent = {"epochs": 1, "batch_size": 8, "optimizer": "adam", "learning_rate": 0.001}
    solve = {"folds": 2, "strengths": [1.0], "widths": [1.0], "cuts": [["block4_pool"]]}
    is_solved = head == "kernel"
    change(
        copy.path,
        {
            ("prepare_base", "head", "kind"): head,
            ("train", "solve"): solve if is_solved else None,
            ("train", "descent"): None if is_solved else descent,
        },
    )
    copy.run(["calibrate"])
    pictures = [*images[:12], *patterns()]
    torch, program = (copy.model(engine=engine).predict(pictures) for engine in ENGINES)
    assert [it.accepted for it in torch] == [it.accepted for it in program]
    for one, other in zip(torch, program, strict=True):
        for name, probability in one.probabilities.items():
            assert abs(probability - other.probabilities[name]) <= TOLERANCE


def test_an_image_says_the_same_however_it_comes(model, images):
    path = images[0]
    with Image.open(path) as opened:
        picture = opened.copy()
    ways = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
    said = model.predict(ways)
    assert len({(it.predicted, it.confidence) for it in said}) == 1
    assert said[0].image == str(path)
    assert said[2].image == "image 2"
    alone = model.predict(path)
    assert isinstance(alone, hounsfield.Prediction)
    assert alone == said[0]
    assert sum(alone.probabilities.values()) == pytest.approx(1)
    assert list(alone.probabilities) == model.classes
    assert model.predict([]) == []


def test_the_same_image_twice_is_predicted_twice(model, images):
    first, second, third = model.predict([images[0], images[1], images[0]])
    assert first == third
    assert first.probabilities != second.probabilities


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_photograph_is_turned_upright(model, images, orientation):
    with Image.open(images[0]) as opened:
        picture = opened.convert("L")
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, "PNG", exif=exif)
    turned = model.predict([file.getvalue(), Image.open(io.BytesIO(file.getvalue()))], strict=False)
    assert turned[0].probabilities == turned[1].probabilities
    turns = hounsfield_model.TURNS[orientation]
    expected = model.predict(np.asarray(picture.transpose(turns)))
    assert expected.probabilities == turned[0].probabilities


def test_a_foreign_image_has_no_class_and_a_reason(model):
    said = model.predict(np.zeros((64, 64), np.uint8))
    assert said.accepted is False
    assert (said.predicted, said.confidence, said.probabilities) == (None, None, {})
    assert "not like the images that the model was trained on" in said.reason


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((8, 8)), "float64; expected uint8 or uint16"),
        (np.zeros((8, 8), bool), "bool"),
        (np.zeros((8, 8), np.int16), "int16"),
        (np.zeros((2, 8, 8), np.uint8), r"shape \[2, 8, 8\]"),
        (np.zeros((8, 8, 4), np.uint8), r"shape \[8, 8, 4\]"),
        (np.zeros((0, 8), np.uint8), "without pixels"),
        (Image.new("F", (8, 8)), "mode F"),
        (17, "of the type int"),
    ],
)
def test_what_is_no_picture_is_refused(model, image, words):
    with pytest.raises(hounsfield.ImageError, match=words):
        model.predict([image])


def test_files_that_cannot_be_used_are_said(model, images, tmp_path):
    with pytest.raises(hounsfield.NotThere, match=r"nothing\.png: there is no such file"):
        model.predict(tmp_path / "nothing.png")
    with pytest.raises(hounsfield.ImageError, match="is a folder; give its files"):
        model.predict(tmp_path)
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no picture at all")
    with pytest.raises(hounsfield.ImageError, match=r"junk\.png: "):
        model.predict([images[0], junk])
    said = model.predict([junk, images[0]], strict=False)
    assert said[0].accepted is None
    assert "junk.png: " in said[0].reason
    assert said[1].predicted


def dicom(folder):
    """A CT slice in 16 bits."""
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Modality, file.PhotometricInterpretation = "CT", "MONOCHROME2"
    file.Rows, file.Columns, file.SamplesPerPixel = 64, 64, 1
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 1
    file.RescaleSlope, file.RescaleIntercept = 1, 0
    file.PixelData = np.linspace(-1000, 400, 64 * 64).astype(np.int16).tobytes()
    path = folder / "slice.dcm"
    file.save_as(path, enforce_file_format=True)
    return path


def test_dicom_goes_to_the_program_where_torch_does_the_rest(made, models, images, tmp_path):
    path = dicom(tmp_path)
    chosen = hounsfield.load(made.path)
    assert chosen.engine == "torch"
    both = chosen.predict([images[0], path])
    assert both[1] == models["program"].predict(path)
    assert both[0] == models["torch"].predict(images[0])
    with pytest.raises(hounsfield.ImageError, match="DICOM"):
        models["torch"].predict(path)


def test_a_model_is_found_in_its_study_and_by_itself(made):
    assert hounsfield.load(made.path / "model").folder == hounsfield.load(made.path).folder
    with pytest.raises(hounsfield.NotThere, match="there is no such folder"):
        hounsfield.load(made.path / "nothing")
    with pytest.raises(hounsfield.NotThere, match="holds no model"):
        hounsfield.load(made.path / "artifacts")


@pytest.mark.parametrize("name", ["trained_model.safetensors", "foreign.safetensors"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_model_is_refused(copy, images, name, engine):
    path = copy.path / "model" / name
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises((hounsfield.ModelError, hounsfield.ToolFailed), match=name.replace(".", r"\.")):
        copy.model(engine=engine).predict(images[0])


def test_heat_maps_come_from_the_program(models, images):
    said = models["torch"].predict([images[0], np.zeros((64, 64), np.uint8)], explain=True)
    assert said[0].predicted
    assert said[1].accepted is False
    assert said[1].heat_map is None
    with Image.open(images[0]) as picture:
        assert said[0].heat_map.shape == (picture.height, picture.width, 4)
    assert said[0].heat_map.dtype == np.uint8
