"""The gradients that a reader drags: the widget's values, and its page in a browser."""

import pytest
import torch
import traitlets

from fairhuman.explorers import MIME, GradientExplorer, fragment, page
from fairhuman.fairness import alpha_fair_weights

START = {"norms": [0.5, 0.25, 0.125], "angles": [10.0, 70.0, -80.0], "shared": 0.75}


def test_its_gram_matrix_is_that_of_gradients():
    """In the plane, and each in a dimension of its own."""
    explorer = GradientExplorer(**START, size=-1.0)
    angles = torch.tensor(START["angles"], dtype=torch.float64).deg2rad()
    in_plane = torch.stack([angles.cos(), angles.sin()], 1) * 0.75**0.5
    G = torch.cat([in_plane, torch.eye(3, dtype=torch.float64) * 0.25**0.5], 1)
    G *= 0.1 * torch.tensor(START["norms"], dtype=torch.float64)[:, None]
    torch.testing.assert_close(explorer.gramian, G @ G.T)


def test_a_cell_that_is_run_again_goes_on_where_the_reader_was():
    moved = GradientExplorer(**START, alpha=3.0)
    moved.angles, moved.alpha = [0.0, 1.0, 2.0], 5.0
    again = GradientExplorer(**START, alpha=3.0)
    assert (again.angles, again.alpha, again.norms) == ([0.0, 1.0, 2.0], 5.0, START["norms"])
    assert again.least_squares == moved.least_squares
    assert GradientExplorer(**START, alpha=3.5).alpha == 3.5  # another start


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"shared": 1.5}, {"norms": [1.0]}, {"norms": [0.0, 1.0, 1.0]}, {"size": 1.0}]
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(traitlets.TraitError):
        GradientExplorer(**wrong)


def test_least_squares_follows_the_state():
    explorer = GradientExplorer(**START, alpha=2.5)
    before = explorer.least_squares
    explorer.alpha = 2.0
    assert explorer.least_squares["weights"] != before["weights"]
    exact = alpha_fair_weights(explorer.gramian)
    torch.testing.assert_close(
        torch.tensor(explorer.least_squares["weights"]).double(), exact, rtol=1e-3, atol=0
    )


def test_what_a_notebook_stores_is_a_picture_and_its_values():
    explorer = GradientExplorer(**START, alpha=2.25)
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["image/png"].startswith("iVBOR")
    assert bundle[MIME] == {"explorer": "gradients", "values": explorer.values()}
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_pages_refuse_unknown_explorers_and_values_that_json_cannot_hold():
    with pytest.raises(ValueError, match=r"kind: .*gradients"):
        page("gradient", {}, "x")
    with pytest.raises(ValueError):
        fragment("gradients", {"alpha": float("nan")})
    assert "<title>a &lt; b</title>" in page("gradients", GradientExplorer(**START).values(), "a < b")
    assert "</script><b>" not in fragment("gradients", {"note": "</script><b>"})


def test_dragging_and_keys_move_a_page_without_kernel(chromium, tmp_path):
    explorer = GradientExplorer(norms=[0.1, 0.01, 0.01], angles=[0.0, 45.0, -45.0])
    file = tmp_path / "gradients.html"
    file.write_text(explorer.page("Three gradients"))
    with chromium() as context:
        tab, complaints = context.new_page(), []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda request: complaints.append(request.url) if request.url != file.as_uri() else None,
        )
        tab.goto(file.as_uri())
        cells = "Array.from(document.querySelectorAll('tr[data-method={}] td'), cell => cell.innerText)"

        exact = alpha_fair_weights(explorer.gramian).tolist()
        shown = tab.evaluate(cells.format("mpd"))
        assert [float(cell) for cell in shown[:3]] == pytest.approx(exact, rel=5e-3)
        assert tab.evaluate(cells.format("least_squares"))[:3] == shown[:3]  # sent with the page
        assert tab.get_by_role("status").inner_text() == "Every direction lowers all three losses."

        # By keys: the face's gradient turns away from the global one, until the sum raises its loss.
        handle = tab.locator("circle[data-objective=face]")
        handle.focus()
        for _ in range(25):
            handle.press("ArrowLeft")
        handle.press("Shift+ArrowLeft")
        handle.press("ArrowUp")
        assert handle.get_attribute("aria-valuetext") == "angle 171°, norm 0.0120"
        assert "plain sum (face)" in tab.get_by_role("status").inner_text()
        assert "needs a running notebook" in tab.evaluate(cells.format("least_squares"))[0]
        moved = GradientExplorer(norms=[0.1, 0.012, 0.01], angles=[0.0, 171.0, -45.0]).gramian
        shown = tab.evaluate(cells.format("mpd"))
        assert [float(cell) for cell in shown[:3]] == pytest.approx(
            alpha_fair_weights(moved).tolist(), rel=5e-3
        )

        # By pointer: the hand's gradient up beside the face's.
        box = tab.locator("circle[data-objective=hand]").bounding_box()
        middle = tab.locator(".middle").bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.mouse.down()
        tab.mouse.move(middle["x"] + middle["width"] / 2, middle["y"] - 80, steps=4)
        tab.mouse.up()
        told = tab.locator("circle[data-objective=hand]").get_attribute("aria-valuetext")
        assert told.startswith("angle 90")

        # α by its slider: towards max-min the cost is no longer Eq. 5.
        slider = tab.get_by_label("fairness α")
        slider.focus()
        slider.press("End")
        assert slider.get_attribute("aria-valuetext") == "32.0"
        assert tab.locator("thead").inner_text().split()[2] == "cost"

        tab.get_by_role("button", name="cancelling").click()
        assert "Pareto stationary" in tab.get_by_role("status").inner_text()
        assert complaints == []
