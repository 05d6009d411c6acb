"""The pictures of docs/loop.md, for whoever sets HOUNSFIELD_PICTURES to a folder."""

import html
import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

COLOURS = 96


class Pictures:
    """Takes none where no folder is set."""

    def __init__(self):
        folder = os.environ.get("HOUNSFIELD_PICTURES")
        self.folder = Path(folder) if folder else None

    def take(self, page, name, part=None):
        """Of what is seen of a page, or of a part of it."""
        if self.folder:
            self.keep((page.locator(part).first if part else page).screenshot(), name)

    def keep(self, png, name):
        """With few colours: a picture of a page needs no more, and is a third of the size."""
        picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(self.folder / f"{name}.png", optimize=True)

    def take_mail(self, browser, mail):
        """As a mail program shows it."""
        if not self.folder:
            return
        page = browser.new_page(viewport={"width": 900, "height": 100})
        head = f"<p><b>{html.escape(mail.subject)}</b><br><small>to {html.escape(mail.to)}</small></p><hr>"
        page.set_content(f'<body style="font: 15px sans-serif; margin: 20px">{head}{mail.text}</body>')
        self.keep(page.screenshot(full_page=True), "loop-mail")
        page.close()

    def take_airflow(self, browser, airflow):
        """Airflow's own page of the run."""
        if not self.folder:
            return
        with airflow.page() as address:
            page = browser.new_page(viewport={"width": 1280, "height": 620})
            page.goto(f"{address}/dags/hounsfield_retrain")
            page.locator("a[href*='/runs/']").first.click(timeout=60_000)
            # The tasks and the heading.
            expect(page.get_by_role("row")).to_have_count(8, timeout=60_000)
            self.keep(page.screenshot(), "loop-airflow")
            page.close()
