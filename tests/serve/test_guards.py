"""Keys, a busy server, an unreachable server."""

import re

from playwright.sync_api import expect

from project import Server
from test_scans import answer, pick


def test_a_key_is_asked_for_quietly_and_forgotten_with_the_tab(made, serve, visit, accessible, shoot):
    key, entry = made.key("review")
    server, project = serve(keys=[entry])
    page = visit(server)
    expect(page.get_by_role("heading", name="This server wants a key")).to_be_visible()
    accessible(page)
    shoot(page, "key")
    page.get_by_label("Key", exact=True).fill("hk_mistaken")
    page.get_by_role("button", name="Use key").click()
    expect(page.get_by_role("heading", name="The server did not take this key")).to_be_visible()
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("button.sample").first).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 1
    assert key not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
    pick(page, project.test_image("normal"))
    answer(page)

    page.get_by_role("link", name="Training").click()
    expect(page.get_by_text("Starting one needs an admin key.")).to_be_visible()
    expect(page.get_by_role("button", name="Train again")).to_have_count(0)
    accessible(page)
    again = page.context.new_page()
    again.goto(f"{server.url}/")
    expect(again.get_by_role("heading", name="This server wants a key")).to_be_visible()


def test_a_busy_server_is_asked_again_when_it_said_so(serve, visit):
    # The page itself sends more than a dozen requests first; then the limit for the minute is reached.
    server, project = serve(limits={"requests_per_minute": 30})
    page = visit(server)
    expect(page.locator("button.sample").first).to_be_visible()
    page.evaluate("Promise.all(Array.from({ length: 30 }, () => fetch('/v1/model')))")
    pick(page, project.test_image("normal"))
    expect(page.locator(".seconds")).to_have_text(re.compile(r"^Sent again in \d+ s$"))
    answer(page)


def test_a_server_that_is_gone_is_noticed_and_found_again(serve, visit, accessible, shoot):
    server, project = serve()
    page = visit(server)
    pick(page, project.test_image("normal"))
    answer(page)
    server.stop()
    pick(page, project.test_image("adenocarcinoma"))
    expect(page.get_by_role("heading", name="The server does not answer")).to_be_visible()
    expect(page.locator(".rail-entry").nth(1)).to_have_attribute("data-state", "failed")
    accessible(page)
    shoot(page, "gone")
    again = Server(project, address=server.url.removeprefix("http://"))
    try:
        # Without user action: the page notices it, and sends the unanswered requests.
        expect(page.locator(".rail-entry").nth(1)).to_have_attribute("data-state", "answered")
        expect(page.get_by_role("heading", name="The server does not answer")).to_have_count(0)
    finally:
        again.stop()


def test_a_training_that_cannot_start_says_why(shared, visit, accessible):
    server, _ = shared
    page = visit(server, place="training")
    expect(page.get_by_role("heading", name="No training since the server started")).to_be_visible()
    page.get_by_role("button", name="Train again").click()
    dialog = page.get_by_role("dialog", name="Train again?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    accessible(page)
    dialog.get_by_role("button", name="Train", exact=True).click()
    # The served folder has a model and no pipeline.
    expect(page.locator(".failure")).to_contain_text("dvc.yaml")


def test_events_of_the_server_are_read_line_by_line(shared, visit):
    server, _ = shared
    page = visit(server)

    def parsed(block):
        return page.evaluate("async (block) => (await import('/assets/events.js')).parsed(block)", block)

    assert parsed('event: log\ndata: {"line":"epoch 3/20: 0.8"}') == {
        "event": "log",
        "data": '{"line":"epoch 3/20: 0.8"}',
    }
    assert parsed("data: one\ndata: two") == {"event": "message", "data": "one\ntwo"}
    assert parsed(": still here") is None


def test_history_turns_its_pages(shared, visit):
    server, project = shared
    image = project.test_image("normal").read_bytes()
    page = visit(server)
    for _ in range(26):
        done = page.request.post(f"{server.url}/v1/predict", data=image, headers={"content-type": "image/png"})
        assert done.ok
    page.get_by_role("link", name="History").click()
    rows = page.locator(".record-table tbody tr")
    expect(rows).to_have_count(25)
    newest = page.locator(".record-table time").first.get_attribute("datetime")
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("Page 2")).to_be_visible()
    assert page.locator(".record-table time").first.get_attribute("datetime") < newest
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_text("Page 1")).to_be_visible()
    expect(page.locator(".record-table time").first).to_have_attribute("datetime", newest)
