"""The page's texts are true for any data and for every reader."""

from playwright.sync_api import expect

from test_scans import answer, noise, pick  # noqa: F401


def test_a_correction_that_no_training_can_learn_from_says_so(serve, visit, accessible):
    server, project = serve(store_images="never")
    page = visit(server)
    pick(page, project.test_image("normal"))
    answer(page)
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("The right class").select_option(index=1)
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("No training will learn from it")).to_contain_text("serve.store_images")
    accessible(page)
    page.get_by_role("link", name="Dashboard").click()
    expect(page.locator(".corrections .big")).to_have_text("0")
    expect(page.locator(".corrections .missing")).to_contain_text("1 more correction teaches nothing")
    accessible(page)


def test_steps_of_the_drift_axes_can_be_told_apart(shared, visit):
    server, _ = shared
    page = visit(server)
    for low, high in [(0.7501, 0.7502), (0.75, 0.75), (0.2, 0.9), (0.991, 0.999)]:
        ticks = page.evaluate(
            """async ([low, high]) => {
          const { confidenceDrift } = await import("/assets/dashboard-charts.js");
          const day = (day, mean_confidence) =>
            ({ day, accepted: 1, refused: 0, mean_confidence, mean_feature_distance: 1, by_class: {} });
          const chart = confidenceDrift({ per_day: [day("2026-11-20", low), day("2026-11-21", high)] });
          return [...chart.querySelectorAll("text.tick[text-anchor=end]")].map((tick) => tick.textContent);
        }""",
            [low, high],
        )
        assert len(ticks) >= 2, ticks
        assert len(set(ticks)) == len(ticks), ticks


def test_the_operating_point_says_what_it_means_beside_another_first_class(shared, visit):
    server, _ = shared
    page = visit(server)

    def words(probability, reached, first):
        return page.evaluate(
            """async ([probability, reached, first]) => {
          const { positiveScale } = await import("/assets/class-bars.js");
          const point = { specificity: 0.9, threshold: 0.2, sensitivity: 0.8, reached };
          return positiveScale({ classes: ["large_cell"], probability, operating_points: [point] }, first).textContent;
        }""",
            [probability, reached, first],
        )

    both = words(0.3, True, "normal")
    assert "Positive at 90 % specificity" in both
    assert "although Normal is the most probable class" in both
    assert "although" not in words(0.8, True, "large_cell")
    assert "Not positive" in words(0.1, False, "normal")


def test_advice_fits_any_data(shared, visit, noise):  # noqa: F811
    server, _ = shared
    page = visit(server)
    pick(page, noise)
    refusal = page.locator(".refusal")
    expect(refusal).to_contain_text("What to do")
    for word in ["axial", "slice"]:
        assert word not in refusal.inner_text()
