"""Every place on screens of all sizes, light and dark, by keyboard and without motion."""

import pytest
from playwright.sync_api import expect

from test_scans import answer, pick

PLACES = ["scans", "history", "dashboard", "model", "training"]


def settle(page):
    """Waits until nothing is loading."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#outlet .skeleton")).to_have_count(0)
    expect(page.locator("[aria-busy]")).to_have_count(0)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [(360, 740), (768, 1024), (1280, 800), (1920, 1080)])
def test_no_place_is_wider_than_its_screen_or_hard_to_use(shared, visit, accessible, shoot, size, colours):
    server, project = shared
    page = visit(server, width=size[0], height=size[1], colours=colours)
    pick(page, project.test_image("normal"))
    answer(page)
    for place in PLACES:
        page.goto(f"{server.url}/#/{place}")
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), place
        accessible(page)
        shoot(page, f"{place}-{size[0]}-{colours}")


def test_the_theme_chosen_by_hand_wins_and_stays(shared, visit):
    server, _ = shared
    page = visit(server, colours="light")

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = ground()
    page.get_by_role("button", name="Use the dark theme").click()
    dark = ground()
    assert dark != light
    page.reload()
    assert ground() == dark


def test_a_scan_is_sent_and_judged_by_keyboard_alone(shared, visit):
    server, _ = shared
    page = visit(server)
    expect(page.locator("button.sample").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("button.sample").first).to_be_focused()
    page.keyboard.press("Enter")
    answer(page)
    right = page.get_by_role("button", name="This is right")
    for _ in range(40):
        page.keyboard.press("Tab")
        if right.evaluate("(it) => it === document.activeElement"):
            break
    expect(right).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You said that this is right.")).to_be_visible()


def test_going_to_a_place_moves_focus_and_title_with_it(shared, visit):
    server, _ = shared
    page = visit(server)
    page.get_by_role("link", name="Model").click()
    expect(page.get_by_role("heading", level=1, name="Model")).to_be_focused()
    expect(page).to_have_title("Model · Hounsfield")
    expect(page.get_by_role("link", name="Model")).to_have_attribute("aria-current", "page")


def test_the_model_card_shows_the_scores_of_this_model(shared, visit):
    server, _ = shared
    page = visit(server, place="model")
    settle(page)
    expect(page.locator(".model-card")).to_contain_text("No decision about a person may rest on it.")
    expect(page.get_by_role("region", name="Scores of each class").locator("tbody tr")).to_have_count(4)


def test_stored_images_are_announced(serve, visit):
    server, _ = serve(store_images="all", retention_days=3)
    page = visit(server)
    expect(page.locator("footer.notice")).to_contain_text("Every scan sent is stored for 3 days.")
    expect(page.locator(".drop-zone")).to_contain_text("Every scan sent is stored for 3 days.")
