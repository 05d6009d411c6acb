"""Keys, a busy server, a server that is gone."""

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
    page.get_by_role("button", name="Train again").click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".failure")).to_contain_text("key")
    accessible(page)
    again = page.context.new_page()
    again.goto(f"{server.url}/")
    expect(again.get_by_role("heading", name="This server wants a key")).to_be_visible()


def test_a_busy_server_is_asked_again_when_it_said_so(serve, visit):
    # The page itself asks for more than a dozen things before; then the minute's worth is used up.
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
        # Without a hand: the page finds it, and sends what was not answered.
        expect(page.locator(".rail-entry").nth(1)).to_have_attribute("data-state", "answered")
        expect(page.get_by_role("heading", name="The server does not answer")).to_have_count(0)
    finally:
        again.stop()
