"""A person who reads scans on the server's page, in Chromium, and corrects the model where it is wrong."""

import contextlib
from pathlib import Path

from playwright.sync_api import expect

PATIENCE_MS = 30_000
# The page shows each scan that was given to it in a list. A longer one takes longer to draw.
AT_ONCE = 20


class Reader:
    """Knows the class of each scan: it is the name of the scan's folder."""

    def __init__(self, page, address, key):
        self.page, self.address = page, address
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/#/scans")
        page.get_by_role("textbox", name="Key").fill(key)
        page.get_by_role("button", name="Use key").click()

    def goes_to(self, place, heading):
        self.page.goto(f"{self.address}/#/{place}")
        expect(self.page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        expect(self.page.locator("#outlet .skeleton")).to_have_count(0)

    def corrects(self, scans, enough, before_keep=lambda: None):
        """Looks at scans until so many answers were wrong; those scans. Right answers are confirmed."""
        wrong: list[Path] = []
        for first in range(0, len(scans), AT_ONCE):
            for at, scan in enumerate(self.sends(scans[first : first + AT_ONCE])):
                if not self.judges(at, scan.parent.name, before_keep if not wrong else lambda: None):
                    wrong.append(scan)
                if len(wrong) == enough:
                    break
            self.page.get_by_role("button", name="Clear all").click()
            if len(wrong) == enough:
                return wrong
        raise AssertionError(f"only {len(wrong)} of {len(scans)} answers were wrong")

    def sends(self, scans):
        """Gives scans to the page, and waits until each has an answer."""
        self.page.locator("input[type=file]").first.set_input_files([str(scan) for scan in scans])
        expect(self.page.locator(".rail-entry[data-state=answered]")).to_have_count(len(scans), timeout=PATIENCE_MS)
        return scans

    def judges(self, at, class_name, before_keep):
        """Looks at one of the list; whether the model was right."""
        entry = self.page.locator(".rail-entry").nth(at).get_by_role("button").first
        entry.click()
        expect(entry).to_have_attribute("aria-current", "true")
        panel = self.page.get_by_role("region", name="Answer")
        shown = panel.locator(".first-class").inner_text()
        is_right = shown.lower() == class_name.replace("_", " ")
        if is_right:
            panel.get_by_role("button", name="This is right").click()
        else:
            panel.get_by_role("button", name="This is wrong").click()
            panel.get_by_label("The right class").select_option(class_name)
            before_keep()
            panel.get_by_role("button", name="Keep").click()
        said = "right" if is_right else class_name.replace("_", " ")
        expect(panel.get_by_text(f"You said that this is {said}.")).to_be_visible(timeout=PATIENCE_MS)
        return is_right


@contextlib.contextmanager
def reader(browser, address, key):
    """Opens the page. A script's error fails the test."""
    complaints = []
    context = browser.new_context(viewport={"width": 1280, "height": 1120})
    try:
        page = context.new_page()
        page.on("pageerror", lambda it: complaints.append(str(it)))
        yield Reader(page, address, key)
    finally:
        context.close()
    assert complaints == []
