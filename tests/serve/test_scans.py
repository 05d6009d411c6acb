"""Scans in, answers out: the first place of the page."""

import random
import re

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import expect


@pytest.fixture
def noise(tmp_path):
    """A picture that is not a scan: coloured noise."""
    random.seed(7)
    path = tmp_path / "noise.png"
    Image.frombytes("RGB", (64, 64), random.randbytes(64 * 64 * 3)).save(path)
    return path


def pick(page, *paths):
    page.locator("input[type=file]").first.set_input_files([str(path) for path in paths])


def answer(page):
    """The panel with the model's first class, once it is shown."""
    panel = page.get_by_role("region", name="Answer")
    expect(panel.locator(".answer")).to_be_visible()
    return panel


def canvas_pixels(page):
    """The mean grey of the viewer's picture."""
    return page.locator(".frame canvas").evaluate("""async (canvas) => {
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let sum = 0;
      for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
      return sum / (data.length / 4) / 3;
    }""")


def test_the_notice_is_in_view_on_every_place_and_screen(shared, visit):
    server, _ = shared
    for width, height in [(360, 640), (1280, 800), (1920, 1080)]:
        page = visit(server, width=width, height=height)
        for place in ["scans", "history", "dashboard", "model", "training"]:
            page.goto(f"{server.url}/#/{place}")
            notice = page.get_by_text("Research use only. Not a medical device.", exact=True).first
            expect(page.locator("footer.notice strong")).to_be_in_viewport(ratio=1)
            expect(notice).to_be_attached()


def test_a_sample_is_answered_with_one_press(shared, visit, accessible, shoot):
    server, _ = shared
    page = visit(server)
    samples = page.locator("button.sample")
    expect(samples.first).to_be_visible()
    expect(samples.first.locator("img")).to_have_js_property("complete", True)
    accessible(page)
    shoot(page, "empty")
    samples.first.click()
    panel = answer(page)
    shown = panel.locator(".class-bars .amount").all_inner_texts()
    numbers = [float(re.search(r"[\d.]+", text)[0]) for text in shown]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
    assert sum(numbers) == pytest.approx(100, abs=0.5)
    expect(panel.locator(".confidence .words")).to_have_text(
        re.compile("^The model is (very sure|sure|fairly sure|leaning|unsure)$")
    )
    accessible(page)
    shoot(page, "result")


def test_the_heat_lies_over_the_picture_as_strongly_as_its_slider_says(shared, visit):
    server, project = shared
    page = visit(server)
    # If nothing supports the class there is no heat, so the first scan with heat is used.
    scans = [project.test_image(name, at) for name in ["adenocarcinoma", "normal"] for at in range(3)]
    pick(page, *scans)
    entries = page.locator(".rail-entry")
    expect(page.locator(".rail-entry[data-state=answered]")).to_have_count(len(scans))
    slider = page.get_by_role("slider", name="Heat")
    for entry in entries.all():
        entry.get_by_role("button").first.click()
        expect(page.locator(".heat-control .fine")).to_contain_text("Grad-CAM")
        if slider.is_visible():
            break
    expect(slider).to_be_visible()
    slider.fill("0")
    without = canvas_pixels(page)
    slider.fill("100")
    assert abs(canvas_pixels(page) - without) > 0.5


def test_the_window_changes_what_is_shown_and_nothing_that_is_sent(shared, visit):
    server, project = shared
    page = visit(server)
    sent = []
    page.on("request", lambda it: "/v1/predict" in it.url and sent.append(it.url))
    pick(page, project.test_image("normal"))
    answer(page)
    if page.get_by_role("slider", name="Heat").is_visible():
        page.get_by_role("slider", name="Heat").fill("0")
    before = canvas_pixels(page)
    page.get_by_role("slider", name="Level").fill("30")
    page.get_by_role("slider", name="Window").fill("40")
    assert canvas_pixels(page) > before + 10
    page.get_by_role("button", name="Reset").click()
    assert canvas_pixels(page) == pytest.approx(before, abs=0.01)
    page.get_by_text("Window", exact=True).first.click()
    box = page.locator(".frame canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 160)
    page.mouse.up()
    expect(page.get_by_role("slider", name="Window")).not_to_have_value("255")
    assert len(sent) == 1


def test_the_picture_is_zoomed_and_moved_by_wheel_buttons_and_keys(shared, visit):
    server, project = shared
    page = visit(server)
    pick(page, project.test_image("normal"))
    answer(page)
    amount = page.locator(".zoom-amount")
    whole = amount.inner_text()

    def percent():
        return int(amount.inner_text().removesuffix(" %"))

    page.get_by_role("button", name="Zoom in").click()
    one = percent()
    assert one > int(whole.removesuffix(" %"))
    page.locator(".frame canvas").hover()
    page.mouse.wheel(0, -300)
    expect(amount).not_to_have_text(f"{one} %")
    assert percent() > one
    page.locator(".frame canvas").focus()
    page.keyboard.press("0")
    expect(amount).to_have_text(whole)
    page.keyboard.press("+")
    expect(amount).to_have_text(f"{one} %")


def test_a_foreign_picture_is_refused_with_the_check_and_by_how_much(shared, visit, noise, accessible, shoot):
    server, _ = shared
    page = visit(server)
    pick(page, noise)
    refusal = page.locator(".refusal")
    expect(refusal.get_by_role("heading", name="Not a scan the model knows")).to_be_visible()
    failed = refusal.locator("li.failed .fine")
    assert failed.count() >= 1
    words = failed.first.inner_text()
    assert re.search(
        r"correlation -?[\d.]+; at least -?[\d.]+ is wanted, [\d.]+ more|"
        r"distance [\d.]+; at most [\d.]+ is allowed, [\d.]+ too far",
        words,
    ), words
    expect(page.locator(".class-bars")).to_have_count(0)
    accessible(page)
    shoot(page, "refusal")


def test_many_scans_each_have_their_own_answer(shared, visit, noise, tmp_path):
    server, project = shared
    broken = tmp_path / "broken.png"
    broken.write_bytes(project.test_image("normal").read_bytes()[:200])
    page = visit(server)
    pick(page, project.test_image("normal"), noise, broken, project.test_image("adenocarcinoma", 1))
    entries = page.locator(".rail-entry")
    for at, state in enumerate(["answered", "refused", "failed", "answered"]):
        expect(entries.nth(at)).to_have_attribute("data-state", state)
    entries.nth(2).get_by_role("button").first.click()
    expect(page.locator(".panel .failure")).to_contain_text("Export the scan again")
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("heading", name="Drop scans here")).to_be_visible()


def test_a_scan_is_taken_from_the_clipboard_and_from_a_drop(shared, visit):
    server, project = shared
    page = visit(server)
    content = list(project.test_image("normal").read_bytes())
    for kind, made in [
        ("paste", "new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })"),
        ("drop", "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })"),
    ]:
        page.evaluate(
            f"""([content, name]) => {{
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(content)], name, {{ type: "image/png" }}));
          document.body.dispatchEvent({made});
        }}""",
            [content, f"{kind}.png"],
        )
        entry = page.locator(".rail-entry", has_text=f"{kind}.png")
        expect(entry).to_have_attribute("data-state", "answered")


def test_a_ct_slice_is_seen_through_the_window_that_is_asked_for(serve, visit, tmp_path, accessible, shoot):
    server, project = serve(foreign_images="flag")
    ct = tmp_path / "slice.dcm"
    grey = np.asarray(Image.open(project.test_image("normal")).convert("L"), dtype=np.int16)
    write_ct(ct, hounsfield=grey * 6 - 1100)
    page = visit(server)
    pick(page, ct)
    answer(page)
    expect(page.locator(".blank")).to_be_hidden()
    assert page.get_by_label("Centre, HU").input_value() == "-600"
    lung = canvas_pixels(page)
    shoot(page, "dicom")
    accessible(page)
    with page.expect_response("**/v1/rendered?window=400%2C1800") as drawn:
        page.get_by_role("button", name="Bone").click()
    assert drawn.value.ok
    answer(page)
    expect(page.get_by_role("button", name="Bone")).to_have_attribute("aria-pressed", "true")
    assert canvas_pixels(page) < lung - 10, "air and soft tissue are darker through the bone window"


def write_ct(path, hounsfield):
    """A CT slice of these Hounsfield units."""
    made = pydicom.Dataset()
    made.SOPClassUID = pydicom.uid.CTImageStorage
    made.SOPInstanceUID = "1.2.3.4"
    made.Modality = "CT"
    made.Rows, made.Columns = hounsfield.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = (hounsfield + 1024).astype("<i2").tobytes()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.save_as(path, enforce_file_format=True)


def test_what_nobody_can_draw_is_said_to_be_so(shared, visit, tmp_path):
    server, _ = shared
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    page = visit(server)
    pick(page, text)
    expect(page.locator(".blank")).to_contain_text("There is no picture of this file")
    expect(page.locator(".panel .failure")).to_contain_text("Send PNG, JPEG or DICOM")


def test_a_correction_is_kept_and_seen_in_history_and_dashboard(serve, visit, accessible, shoot):
    server, project = serve(store_images="feedback")
    page = visit(server)
    scan = project.test_image("normal")
    pick(page, scan)
    answer(page)
    predicted = page.locator(".first-class").inner_text()
    page.get_by_role("button", name="This is wrong").click()
    choice = page.get_by_label("The right class")
    expect(choice).to_be_focused()
    options = choice.locator("option").all_inner_texts()
    assert predicted.lower() not in [option.lower() for option in options]
    choice.select_option(index=1)
    page.get_by_label("Note").fill("the reader saw it otherwise")
    accessible(page)
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text(f"You said that this is {options[1]}.")).to_be_visible()

    page.get_by_role("link", name="History").click()
    row = page.locator(".record-table tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(f"wrong: {options[1]}")
    accessible(page)
    row.get_by_role("button", name=scan.name).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the reader saw it otherwise")
    accessible(page)
    page.keyboard.press("Escape")
    page.get_by_label("Feedback").select_option("right")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()

    page.get_by_role("link", name="Dashboard").click()
    expect(page.locator(".figures")).to_contain_text("of 1 answer with feedback")
    expect(page.locator(".corrections .big")).to_have_text("1")
    charts = page.get_by_role("img")
    assert charts.count() >= 7
    for chart in charts.all():
        assert chart.locator("title").inner_html()
        assert chart.locator("desc").inner_html()
    assert page.locator(".chart .unit").count() == charts.count()
    assert page.locator(".chart .numbers table").count() == charts.count()
    accessible(page)
    shoot(page, "dashboard")
