"""The benchmark's own arithmetic, and that both sides of a comparison measure the same thing.

Run with: .venv-reference/bin/python -m pytest tests/bench
"""

import io
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.models import vgg16

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import measure
import projects
import rows
import torch_reference
from measure import NotMeasured, Run
from rows import Images, Measured

IMAGES = Images(image_size=224, train=100, valid=10, test=20, distinct=90, part_train=25, threads=2)


def taken(wall_s: float, **figures: float) -> Run:
    return Run(wall_s, 1_000_000_000, "", "", figures)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_a_comment_changes_the_bytes_and_no_pixel(kind: str) -> None:
    file = io.BytesIO()
    Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 30).convert("RGB").save(file, kind)
    body = file.getvalue()
    copies = [projects.with_comment(body, number) for number in (1, 2)]
    assert len({body, *copies}) == 3
    pixels = [Image.open(io.BytesIO(each)).convert("RGB").tobytes() for each in (body, *copies)]
    assert pixels[0] == pixels[1] == pixels[2]


def test_a_parameter_is_changed_in_its_own_section_alone() -> None:
    text = (ROOT / "crates/tools/hounsfield/templates/params.yaml").read_text()
    changed = projects.with_value(text, "train", "seed", "99")
    differing = [(old, new) for old, new in zip(text.splitlines(), changed.splitlines(), strict=True) if old != new]
    assert differing == [("  seed: 17", "  seed: 99")]
    assert changed.index("seed: 99") > changed.index("\ntrain:")
    with pytest.raises(ValueError, match="section train has no_such_key 0 times"):
        projects.with_value(text, "train", "no_such_key", "1")


def test_augmentation_of_the_tutorials_finds_every_key_of_the_profile() -> None:
    text = projects.with_augmentation(projects.real_scans_params(ROOT, None), 4)
    for line in ("rotation_degrees: 40.0", "horizontal_flip: true", "views: 4"):
        assert line in text


def test_a_small_set_has_every_class() -> None:
    labels = ["a"] * 50 + ["b"] * 3 + ["c"] * 7
    mixed = projects.interleaved([{"class": name} for name in labels])
    assert [row["class"] for row in mixed[:9]] == ["a", "b", "c"] * 3
    assert len(mixed) == len(labels)


def test_vgg16_does_as_many_operations_as_the_literature_says() -> None:
    # 15.35 GMAC of convolutions at 224 pixels; He et al. 2015, table 1, counts 15.3 × 10⁹.
    assert rows.gflop_per_image(224) == pytest.approx(2 * 15.35, rel=0.001)


def test_the_network_of_the_peer_is_torchvisions() -> None:
    torch.manual_seed(1)
    theirs = vgg16(weights=None).features.eval()
    ours = torch_reference.vgg16_features(None).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_derived_times_count_the_start_once_and_epochs_as_often_as_there_are() -> None:
    parts = {"startup_s": 3.0, "warm_up_s": 2.0, "train_s_per_image": 0.1, "valid_s_per_image": 0.2, "save_s": 0.5}
    measured = Measured(runs={"keras_usual": [taken(9.0, **parts)], "our_cold": [taken(2.5)]})
    # 3 + 2 + 20 × (100 × 0.1 + 10 × 0.2 + 0.5)
    first = rows.train_rows(measured, IMAGES)[0]
    assert first.ratio == pytest.approx(255.0 / 2.5)
    assert first.verdict == "met"


def test_feature_rate_is_distinct_images_over_cold_less_warm() -> None:
    measured = Measured(
        runs={"our_cold": [taken(11.0), taken(50.0), taken(12.0)], "our_warm": [taken(2.0), taken(2.0), taken(3.0)]}
    )
    assert rows.our_feature_rate(measured, IMAGES) == pytest.approx(90 / 9.0)


def test_a_missing_peer_leaves_our_figure_and_its_reason() -> None:
    measured = Measured(runs={"our_cold": [taken(2.5)]}, missing={"keras_usual": "no Keras here"})
    first = rows.table(measured, IMAGES, {"train"})[0]
    assert (first.ours, first.ratio, first.verdict) == ("2.5 s", None, "")
    assert "no Keras here" in rows.printed([first])


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="exit code 3: out of luck"):
        measure.run(["sh", "-c", "echo out of luck >&2; exit 3"], tmp_path, tmp_path / "log", 60)
    with pytest.raises(NotMeasured, match="No such file"):
        measure.run([tmp_path / "nothing"], tmp_path, tmp_path / "log", 60)


def test_a_process_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="took more than"):
        measure.run(["sh", "-c", "sleep 600 & wait"], tmp_path, tmp_path / "log", 0.2)


def test_peak_memory_is_seen(tmp_path: Path) -> None:
    script = "import time; held = bytearray(b'x') * 200_000_000; time.sleep(0.3); print('{\"a\": 1}')"
    run = measure.run([sys.executable, "-c", script], tmp_path, tmp_path / "log", 60)
    assert 2e8 < run.peak_anonymous_bytes < 3e8
    assert run.figures == {"a": 1}
