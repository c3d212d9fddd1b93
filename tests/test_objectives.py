"""The objectives of Eq. 2 against their definitions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairhuman.objectives import outside, present, preservation_loss, regional_errors, regional_losses


def problem(seed=0, batch=3, side=4):
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.randn(2, batch, 4, side, side, generator=generator)
    masks = {name: torch.rand(batch, 1, side, side, generator=generator) for name in ("face", "hand")}
    return prediction, target, masks


@given(st.integers(0, 999))
def test_reductions_are_what_they_say(seed):
    prediction, target, masks = problem(seed)
    error = masks["hand"] * (prediction - target)
    norms = error.flatten(1).norm(dim=1) ** 2
    image = regional_losses(prediction, target, masks)
    torch.testing.assert_close(image["global"], torch.nn.functional.mse_loss(prediction, target))
    torch.testing.assert_close(image["hand"], error.square().mean())
    torch.testing.assert_close(regional_losses(prediction, target, masks, "sum")["hand"], norms.mean())
    per_area = norms / (4 * masks["hand"].square().flatten(1).sum(1))
    torch.testing.assert_close(regional_losses(prediction, target, masks, "mask")["hand"], per_area.mean())
    assert list(image) == ["global", "face", "hand"]


@pytest.mark.parametrize("reduction", ["image", "mask", "sum"])
def test_a_full_mask_gives_the_global_objective(reduction):
    prediction, target, _ = problem()
    losses = regional_losses(prediction, target, {"face": torch.ones(3, 1, 4, 4)}, reduction)
    torch.testing.assert_close(losses["face"], losses["global"])


@pytest.mark.parametrize("reduction", ["image", "mask", "sum"])
def test_an_absent_region_has_loss_and_gradient_zero(reduction):
    prediction, target, masks = problem()
    prediction.requires_grad_()
    masks["hand"] = torch.zeros_like(masks["hand"])
    loss = regional_losses(prediction, target, masks, reduction)["hand"]
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert loss == 0
    assert gradient.eq(0).all()
    assert present(masks["hand"]).tolist() == [False] * 3


def test_mask_reduction_averages_over_the_images_that_have_the_region():
    prediction, target, masks = problem()
    masks["hand"][1] = 0
    losses = regional_losses(prediction, target, masks, "mask")
    alone = regional_losses(prediction[[0, 2]], target[[0, 2]], {"hand": masks["hand"][[0, 2]]}, "mask")
    torch.testing.assert_close(losses["hand"], alone["hand"])


def test_gradients_stay_inside_hard_masks():
    prediction, target, masks = problem()
    prediction.requires_grad_()
    mask = masks["face"].round()
    (gradient,) = torch.autograd.grad(regional_losses(prediction, target, {"face": mask})["face"], prediction)
    assert gradient.mul(1 - mask).eq(0).all()


def test_scale_of_the_authors_script():
    prediction, target, masks = problem()
    scaled = regional_losses(prediction, target, masks, local_scale=25)
    released = (5 * masks["face"] * (prediction - target)).square().mean()  # ×5 inside the square
    torch.testing.assert_close(scaled["face"], released)
    torch.testing.assert_close(scaled["global"], regional_losses(prediction, target, masks)["global"])


def test_errors_of_single_images_average_to_the_losses():
    prediction, target, masks = problem()
    errors = regional_errors(prediction, target, masks)
    losses = regional_losses(prediction, target, masks)
    for name, loss in losses.items():
        assert errors[name].shape == (3,)
        torch.testing.assert_close(errors[name].mean(), loss)


def test_half_precision_is_summed_in_float32():
    prediction, target, masks = problem()
    losses = regional_losses(prediction.bfloat16(), target, masks)
    assert all(loss.dtype == torch.float32 for loss in losses.values())


@pytest.mark.parametrize("reduction", ["image", "mask", "sum"])
def test_the_losses_of_a_batch_are_the_means_of_its_parts(reduction):
    """With the mean number of images that have a region, also where one part has none of them."""
    prediction, target, masks = problem()
    prediction, target = prediction.repeat(2, 1, 1, 1)[:4], target.repeat(2, 1, 1, 1)[:4]
    masks = {name: mask.repeat(2, 1, 1, 1)[:4] for name, mask in masks.items()}
    last = list(masks)[-1]
    masks[last][:2] = 0
    weights = torch.tensor([1.0, 0.5, 2.0, 0.25])
    whole = regional_losses(prediction, target, masks, reduction, weights=weights)
    counts = {name: present(mask).sum().item() / 2 for name, mask in masks.items()}
    parts = [
        regional_losses(
            prediction[part], target[part], {name: mask[part] for name, mask in masks.items()}, reduction,
            weights=weights[part], counts=counts,
        )
        for part in (slice(0, 2), slice(2, 4))
    ]  # fmt: skip
    for name, loss in whole.items():
        torch.testing.assert_close((parts[0][name] + parts[1][name]) / 2, loss)


def test_weights_count_each_image():
    prediction, target, masks = problem()
    weights = torch.rand(len(prediction))
    errors = regional_errors(prediction, target, masks)
    losses = regional_losses(prediction, target, masks, weights=weights)
    for name, loss in losses.items():
        torch.testing.assert_close(loss, (weights * errors[name]).mean())


@given(st.integers(0, 999), st.sampled_from([0.0, 0.1, 2.0]))
def test_what_lies_outside_all_regions_counts_as_much_as_asked(seed, weight):
    prediction, target, masks = problem(seed)
    masks = {name: torch.where(mask < 0.6, 0.0, mask) for name, mask in masks.items()}
    squares = (prediction - target).square()
    factors = torch.where((masks["face"] > 0) | (masks["hand"] > 0), 1.0, weight).expand_as(squares)
    expected = {
        "image": (factors * squares).mean(),
        "sum": (factors * squares).sum() / len(squares),
        "mask": ((factors * squares).sum((1, 2, 3)) / factors.sum((1, 2, 3))).mean(),
    }
    for reduction, value in expected.items():
        plain = regional_losses(prediction, target, masks, reduction)
        losses = regional_losses(prediction, target, masks, reduction, unmasked_weight=weight)
        torch.testing.assert_close(losses["global"], value)
        assert all(torch.equal(losses[name], plain[name]) for name in masks)  # the regions' are as they were
        same = regional_losses(prediction, target, masks, reduction, unmasked_weight=1.0)
        assert torch.equal(same["global"], plain["global"])


@pytest.mark.parametrize("reduction", ["image", "mask", "sum"])
def test_without_a_weight_outside_an_image_that_has_no_region_counts_nothing(reduction):
    prediction, target, masks = problem()
    prediction.requires_grad_()
    for mask in masks.values():
        mask[1] = 0
    loss = regional_losses(prediction, target, masks, reduction, unmasked_weight=0.0)["global"]
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert gradient[1].eq(0).all() and gradient[0].ne(0).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"unmasked_weight": -0.1}, "unmasked_weight: must be ≥ 0 and finite, got -0.1"),
        ({"unmasked_weight": float("nan")}, "unmasked_weight: must be ≥ 0"),
        ({"unmasked_weight": 0.1, "masks": {}}, "masks: must hold at least one region"),
        ({"reduction": "median"}, "'median'"),
        ({"local_scale": 0.0}, "local_scale"),
        ({"target": torch.zeros(3, 4, 4, 5)}, "one shape"),
        ({"masks": {"face": torch.zeros(3, 4, 4, 4)}}, r"masks\['face'\]"),
        ({"weights": torch.ones(3, 1)}, r"weights: shape must be \(3,\), got \(3, 1\)"),
        ({"masks": {"global": torch.zeros(3, 1, 4, 4)}}, "'global'"),
    ],
)
def test_bad_input(change, word):
    prediction, target, masks = problem()
    arguments = {"prediction": prediction, "target": target, "masks": masks} | change
    with pytest.raises(ValueError, match=word):
        regional_losses(**arguments)


@given(st.integers(0, 999), st.sampled_from(["image", "mask", "sum"]))
def test_preservation_is_the_distance_from_the_base_outside_all_regions(seed, reduction):
    prediction, kept, masks = problem(seed)
    masks = {name: torch.where(mask < 0.6, 0.0, mask) for name, mask in masks.items()}
    prediction.requires_grad_()
    loss = preservation_loss(prediction, kept, masks, reduction)
    (gradient,) = torch.autograd.grad(loss, prediction)
    inside = ((masks["face"] > 0) | (masks["hand"] > 0)).expand_as(gradient)
    assert gradient[inside].eq(0).all()
    assert gradient[~inside].ne(0).all()
    if reduction == "sum":
        squares = (prediction - kept).square() * ~inside
        torch.testing.assert_close(loss, squares.sum() / len(kept))
    assert preservation_loss(kept, kept, masks, reduction) == 0
    moved = torch.where(inside, kept + 1, kept)
    assert preservation_loss(moved, kept, masks, reduction) == 0


def test_nothing_is_outside_a_region_that_covers_all():
    prediction, kept, _ = problem()
    covered = {"face": torch.full((3, 1, 4, 4), 0.1)}
    assert not outside(covered).any()
    assert preservation_loss(prediction, kept, covered, "mask") == 0
    with pytest.raises(ValueError, match="masks: must hold at least one region"):
        outside({})
