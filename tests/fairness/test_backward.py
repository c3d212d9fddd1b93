"""The fair backward pass: what lands in ``.grad``, and what does not."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from fairhuman.fairness import FairAccumulator, alpha_fair_weights, fair_backward, get_strategy, gramian_of

NAMES = ("global", "face", "hand")


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.fixture
def batch():
    return torch.randn(8, 6), torch.randn(8, 3)


def objectives(model, batch):
    x, y = batch
    return dict(zip(NAMES, ((model(x) - y) ** 2).mean(0).unbind(), strict=True))


def jacobian(model, batch):
    rows = []
    for name in NAMES:
        gradients = torch.autograd.grad(objectives(model, batch)[name], list(model.parameters()))
        rows.append(torch.cat([g.reshape(-1) for g in gradients]))
    return torch.stack(rows)


def gradient(model):
    return torch.cat([p.grad.reshape(-1) for p in model.parameters()])


def test_direction_weights_and_gramian(model, batch):
    G = jacobian(model, batch).double()
    step = fair_backward(objectives(model, batch), model.parameters(), get_strategy("mpd"))
    K = G @ G.mT
    torch.testing.assert_close(step.gramian, K, rtol=1e-5, atol=1e-9)
    w = alpha_fair_weights(K)
    torch.testing.assert_close(torch.tensor([step.weights[n] for n in NAMES]).double(), w, rtol=1e-4, atol=0)
    torch.testing.assert_close(gradient(model).double(), w @ G, rtol=1e-4, atol=1e-6)
    assert step.finite
    assert not step.stationary
    assert step.names == NAMES
    assert (G @ gradient(model).double() > 0).all()


def test_linear_scalarisation_is_an_ordinary_backward(model, batch):
    step = fair_backward(objectives(model, batch), model.parameters(), get_strategy("ls"))
    ours = gradient(model)
    model.zero_grad()
    sum(objectives(model, batch).values()).backward()
    torch.testing.assert_close(ours, gradient(model))
    assert step.gramian is None
    assert step.losses == pytest.approx({n: v.item() for n, v in objectives(model, batch).items()})


@pytest.mark.parametrize("name", ("ls", "mpd", "si"))
def test_direction_is_added_to_what_is_there(model, batch, name):
    fair_backward(objectives(model, batch), model.parameters(), get_strategy(name))
    once = gradient(model).clone()
    fair_backward(objectives(model, batch), model.parameters(), get_strategy(name))
    torch.testing.assert_close(gradient(model), 2 * once)


def test_every_strategy_runs_on_a_generator_of_parameters(model, batch):
    fair_backward(objectives(model, batch), (p for p in model.parameters()), get_strategy("mpd"))
    assert gradient(model).norm() > 0


def test_exhausted_generator_is_refused(model, batch):
    parameters = model.parameters()
    torch.optim.SGD(parameters, lr=0.1)  # what undoes MPD in the released ControlNet script
    with pytest.raises(ValueError, match="an exhausted generator yields none"):
        fair_backward(objectives(model, batch), parameters, get_strategy("mpd"))


@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_frozen_and_unused_parameters_are_left_alone(model, batch, name):
    model[0].bias.requires_grad_(False)
    unused = nn.Parameter(torch.ones(3))
    fair_backward(objectives(model, batch), [*model.parameters(), unused], get_strategy(name))
    assert unused.grad is None
    assert model[0].bias.grad is None
    assert model[0].weight.grad is not None


def test_parameter_used_by_some_objectives_only():
    shared, own = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    losses = {"a": (shared**2).sum(), "b": (shared * own).sum() ** 2}
    step = fair_backward(losses, [shared, own], get_strategy("mpd"))
    assert step.gramian[0, 0] == pytest.approx(8.0)
    torch.testing.assert_close(own.grad, step.weights["b"] * torch.full((2,), 4.0))


@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_parameters_that_share_a_gradient_do_not_share_memory(name):
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    fair_backward({"sum": (a + b).sum()}, [a, b], get_strategy(name))
    a.grad.mul_(3)
    torch.testing.assert_close(a.grad, 3 * b.grad)


@pytest.mark.parametrize("name", ("ls", "mpd", "alpha_fair:1", "si", "rlw", "uw", "dwa", "mgda", "upgrad"))
@pytest.mark.parametrize("declared", (True, False))
def test_absent_region_takes_no_part(model, batch, name, declared):
    losses = objectives(model, batch)
    losses["hand"] = losses["hand"] * 0
    absent = ["hand"] if declared else []
    step = fair_backward(losses, model.parameters(), get_strategy(name), absent=absent)
    assert step.finite
    assert step.weights["face"] > 0
    assert step.absent == tuple(absent)
    if name in ("mpd", "alpha_fair:1", "si") or declared:
        assert step.weights["hand"] == 0
    ours = gradient(model)
    model.zero_grad()
    rest = objectives(model, batch)
    sum(step.weights[n] * rest[n] for n in ("global", "face")).backward()
    torch.testing.assert_close(ours, gradient(model), rtol=1e-4, atol=1e-6)


def test_constant_loss_counts_as_absent(model, batch):
    losses = objectives(model, batch) | {"foot": torch.zeros(())}
    step = fair_backward(losses, model.parameters(), get_strategy("mpd"))
    assert step.absent == ("foot",)
    assert step.weights["foot"] == 0


@pytest.mark.parametrize("name", ("ls", "mpd", "si", "mpd_amortised"))
@pytest.mark.parametrize("value", (float("nan"), float("inf")))
def test_non_finite_step_is_refused_and_changes_nothing(model, batch, name, value):
    strategy = get_strategy(name)
    fair_backward(objectives(model, batch), model.parameters(), strategy)
    before, state = gradient(model).clone(), strategy.state_dict()
    losses = objectives(model, batch)
    losses["face"] = losses["face"] * value
    step = fair_backward(losses, model.parameters(), strategy)
    assert not step.finite
    torch.testing.assert_close(gradient(model), before)
    assert str(strategy.state_dict()) == str(state)


def test_non_finite_gradient_of_a_finite_loss_is_refused(model, batch):
    losses = objectives(model, batch)
    losses["face"] = losses["face"] + model[0].bias.sub(model[0].bias.detach()).abs().sqrt().sum()
    step = fair_backward(losses, model.parameters(), get_strategy("mpd"))
    assert not step.finite
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", ("ls", "mpd", "mpd_closed_form"))
def test_loss_scale_changes_nothing(model, batch, name):
    plain = fair_backward(objectives(model, batch), model.parameters(), get_strategy(name))
    expected = gradient(model).clone()
    model.zero_grad()
    scaled = fair_backward(objectives(model, batch), model.parameters(), get_strategy(name), scale=65536.0)
    torch.testing.assert_close(gradient(model), expected)
    assert scaled.weights == pytest.approx(plain.weights)
    assert scaled.losses == plain.losses
    model.zero_grad()
    fair_backward(
        objectives(model, batch), model.parameters(), get_strategy(name), scale=65536.0, keep_scale=True
    )
    torch.testing.assert_close(gradient(model), 65536 * expected)


@pytest.mark.parametrize("name", ("ls", "mpd", "alpha_fair:4", "mpd_closed_form", "mgda"))
def test_accumulation_equals_the_union(model, name):
    whole = torch.randn(16, 6), torch.randn(16, 3)
    fair_backward(objectives(model, whole), model.parameters(), get_strategy(name))
    expected = gradient(model).clone()
    model.zero_grad()
    accumulator = FairAccumulator(model.parameters(), get_strategy(name))
    for part in zip(whole[0].chunk(4), whole[1].chunk(4), strict=True):
        accumulator.add(objectives(model, part), weight=0.25)
    step = accumulator.step()
    torch.testing.assert_close(gradient(model), expected, rtol=1e-4, atol=1e-6)
    assert step.losses == pytest.approx({n: v.item() for n, v in objectives(model, whole).items()})


def test_accumulation_over_a_region_absent_from_one_part(model, batch):
    accumulator = FairAccumulator(model.parameters(), get_strategy("mpd"))
    accumulator.add(objectives(model, batch), absent=["hand"])
    accumulator.add(objectives(model, batch))
    step = accumulator.step()
    assert step.absent == ()
    assert step.weights["hand"] > 0
    assert step.losses["hand"] == pytest.approx(objectives(model, batch)["hand"].item())


def test_accumulator_begins_anew(model, batch):
    accumulator = FairAccumulator(model.parameters(), get_strategy("mpd"))
    accumulator.add(objectives(model, batch))
    first = accumulator.step()
    with pytest.raises(ValueError, match="at least one micro-batch, got none"):
        accumulator.step()
    accumulator.add(objectives(model, batch))
    assert accumulator.step().weights == first.weights


def test_pareto_stationary_step_is_reported():
    x = nn.Parameter(torch.zeros(1))
    step = fair_backward({"up": x.sum(), "down": -x.sum()}, [x], get_strategy("mpd"))
    assert step.stationary
    assert step.finite
    assert x.grad == 0


@pytest.mark.parametrize(
    ("change", "message"),
    (
        ({"losses": {}}, "losses: must hold at least one objective"),
        ({"losses": {"a": torch.ones(2)}}, r"losses\['a'\]: must be a scalar tensor, got shape \(2,\)"),
        ({"losses": {"a": 1.0}}, r"losses\['a'\]: must be a scalar tensor, got float"),
        ({"absent": ["foot"]}, r"absent: must name objectives .* got \['foot'\]"),
        ({"absent": "hand"}, "collection of names, got the string 'hand'"),
        ({"scale": 0.0}, "scale: must be positive and finite, got 0.0"),
        ({"group": "world"}, "group: must be"),
        ({"parameters": []}, "parameters: must hold at least one"),
    ),
)
def test_refusals(model, batch, change, message):
    arguments = {
        "losses": objectives(model, batch),
        "parameters": model.parameters(),
        "strategy": get_strategy("mpd"),
    }
    with pytest.raises(ValueError, match=message):
        fair_backward(**(arguments | change))


def test_gramian_of_many_and_large_gradients():
    sizes = ((3,), (700_000,), (2, 5), (1,))
    rows = [[torch.randn(size) for size in sizes] for _ in range(3)]
    G = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows]).double()
    torch.testing.assert_close(gramian_of(rows), G @ G.mT, rtol=1e-12, atol=1e-9)
    rows[1][1] = None
    G[1, 3:700_003] = 0
    torch.testing.assert_close(gramian_of(rows), G @ G.mT, rtol=1e-12, atol=1e-9)
    assert (gramian_of([[None], [None]]) == torch.zeros(2, 2)).all()


def test_tiny_gradients_are_not_lost():
    rows = [[torch.full((4,), 1e-30)], [torch.full((4,), -2e-30)]]
    assert gramian_of(rows)[0, 1] == pytest.approx(-8e-60)


@pytest.mark.parametrize("name", ("ls", "mpd", "si", "mpd_amortised"))
@pytest.mark.parametrize("how", ("no_grad", "another model"))
def test_losses_that_reach_no_parameter_are_refused(model, batch, name, how):
    if how == "no_grad":
        with torch.no_grad():
            losses = objectives(model, batch)
        parameters = list(model.parameters())
    else:
        losses, parameters = objectives(model, batch), [nn.Parameter(torch.ones(2))]
    strategy = get_strategy(name)
    state = str(strategy.state_dict())
    with pytest.raises(ValueError, match="losses: one must depend on the parameters, got global, face, hand"):
        fair_backward(losses, parameters, strategy)
    assert all(p.grad is None for p in parameters)
    assert str(strategy.state_dict()) == state


@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_a_step_in_which_all_are_declared_absent_is_an_empty_one(model, batch, name):
    step = fair_backward(objectives(model, batch), model.parameters(), get_strategy(name), absent=NAMES)
    assert step.finite
    assert step.absent == NAMES
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_graph_can_be_kept_for_another_pass(model, batch, name):
    losses = objectives(model, batch)
    fair_backward(losses, model.parameters(), get_strategy(name), retain_graph=True)
    once = gradient(model).clone()
    fair_backward(losses, model.parameters(), get_strategy(name))
    torch.testing.assert_close(gradient(model), 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        fair_backward(losses, model.parameters(), get_strategy(name))


def test_complex_parameters_count_as_pairs_of_real_ones():
    start = torch.randn(5, 2)
    matrix = torch.randn(3, 5, dtype=torch.complex64)
    z = nn.Parameter(torch.view_as_complex(start.clone()))
    pairs = nn.Parameter(start.clone())

    def run(number, parameter):
        losses = dict(zip(NAMES, (matrix @ number).abs().square().unbind(), strict=True))
        return fair_backward(losses, [parameter], get_strategy("mpd"))

    found, expected = run(z, z), run(torch.view_as_complex(pairs), pairs)
    torch.testing.assert_close(found.gramian, expected.gramian)
    torch.testing.assert_close(torch.view_as_real(z.grad), pairs.grad)


def test_complex_loss_is_refused(model, batch):
    losses = objectives(model, batch)
    losses["face"] = losses["face"] * 1j
    with pytest.raises(ValueError, match=r"losses\['face'\]: must be real, got torch.complex64"):
        fair_backward(losses, model.parameters(), get_strategy("mpd"))


def embedded(sparse, tied):
    """Two objectives on one embedding, whose weight also is the head's where tied."""
    torch.manual_seed(1)
    table = nn.Embedding(7, 3, sparse=sparse)
    head = nn.Linear(3, 7, bias=False)
    if tied:
        head.weight = table.weight
    scores = head(table(torch.tensor([0, 2, 2, 5])))
    losses = {"a": scores[:2].square().mean(), "b": scores[2:].exp().mean()}
    return losses, [*table.parameters(), *head.parameters()], table.weight


@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_sparse_gradients_stay_sparse_and_are_right(name):
    steps = []
    for sparse in (False, True):
        losses, parameters, weight = embedded(sparse, tied=False)
        steps.append((fair_backward(losses, parameters, get_strategy(name)), weight.grad))
    (expected, dense), (found, kept) = steps
    assert kept.is_sparse
    torch.testing.assert_close(kept.to_dense(), dense)
    assert found.weights == pytest.approx(expected.weights)


@pytest.mark.parametrize("sparse", (False, True))
@pytest.mark.parametrize("name", ("ls", "mpd"))
def test_tied_and_repeated_parameters_count_once(sparse, name):
    losses, parameters, weight = embedded(sparse, tied=True)
    assert len(parameters) == 2
    step = fair_backward(losses, parameters, get_strategy(name), retain_graph=True)
    rows = torch.stack(
        [
            torch.autograd.grad(loss, weight, retain_graph=True)[0].to_dense().flatten()
            for loss in losses.values()
        ]
    )
    if name == "mpd":
        torch.testing.assert_close(step.gramian, (rows @ rows.mT).double(), rtol=1e-5, atol=1e-9)
    expected = torch.tensor(list(step.weights.values())) @ rows
    torch.testing.assert_close(weight.grad.to_dense().flatten(), expected)


def test_sparse_gradients_add_up_with_dense_ones():
    losses, parameters, weight = embedded(sparse=True, tied=False)
    fair_backward(losses, parameters, get_strategy("mpd"), retain_graph=True)
    once = weight.grad.to_dense()
    decay = {"a": losses["a"], "b": weight.square().sum()}
    accumulator = FairAccumulator(parameters, get_strategy("mpd"))
    accumulator.add(losses, retain_graph=True)
    accumulator.add(decay)
    accumulator.step()
    assert not weight.grad.is_sparse
    expected, parameters, other = embedded(sparse=False, tied=False)
    accumulator = FairAccumulator(parameters, get_strategy("mpd"))
    accumulator.add(expected, retain_graph=True)
    accumulator.add({"a": expected["a"], "b": other.square().sum()})
    accumulator.step()
    torch.testing.assert_close(weight.grad, once + other.grad)


def test_parameters_must_be_tensors(model, batch):
    with pytest.raises(TypeError, match="parameters: must hold tensors, got tuple"):
        fair_backward(objectives(model, batch), model.named_parameters(), get_strategy("mpd"))


def test_grad_scaler_steps_as_if_nothing_were_scaled(model, batch):
    copy = deepcopy(model)
    optimisers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (model, copy)]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    for _ in range(3):
        for optimiser in optimisers:
            optimiser.zero_grad()
        assert fair_backward(objectives(model, batch), model.parameters(), get_strategy("mpd")).finite
        optimisers[0].step()
        scale = scaler.scale(torch.ones(()))
        step = fair_backward(
            objectives(copy, batch), copy.parameters(), get_strategy("mpd"), scale=scale, keep_scale=True
        )
        assert step.finite
        scaler.step(optimisers[1])
        scaler.update()
    for ours, theirs in zip(model.parameters(), copy.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_grad_scaler_is_lowered_where_a_step_is_refused(model, batch):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    losses = objectives(model, batch)
    losses["face"] = losses["face"] * float("inf")
    scale = scaler.scale(torch.ones(()))
    step = fair_backward(losses, model.parameters(), get_strategy("mpd"), scale=scale, keep_scale=True)
    assert not step.finite
    scaler.update(scaler.get_scale() / 2)
    assert scaler.get_scale() == 2.0**11


class ByItem(torch.autograd.Function):
    """Its backward pass looks at a value, which no batch of gradients has."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (1.0 if gradient.sum().item() > -1e9 else 0.0)


def both(losses, parameters, *, absent=()):
    """Gradients and steps, objectives differentiated one by one and together."""
    found = []
    for batched in (False, True):
        for parameter in parameters:
            parameter.grad = None
        step = fair_backward(losses(), parameters, get_strategy("mpd"), absent=absent, batched=batched)
        found.append((step, [p.grad for p in parameters]))
    return found


@pytest.mark.parametrize("absent", ((), ("hand",), ("face", "hand")))
@pytest.mark.parametrize("checkpointed", (False, True))
def test_batched_gradients_are_those_of_one_by_one(model, batch, absent, checkpointed):
    from torch.utils.checkpoint import checkpoint

    calls = []

    def forward(x):
        calls.append(1)
        return model(x)

    def losses():
        x, y = batch
        answer = checkpoint(forward, x, use_reentrant=False) if checkpointed else forward(x)
        return dict(zip(NAMES, ((answer - y) ** 2).mean(0).unbind(), strict=True))

    unused = nn.Parameter(torch.ones(2))
    (one, mine), (other, theirs) = both(losses, [*model.parameters(), unused], absent=absent)
    assert [mine.pop(), theirs.pop()] == [None, None]
    torch.testing.assert_close(one.gramian, other.gramian, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-7)
    if checkpointed:
        assert len(calls) == (1 + 3 - len(absent)) + 2  # recomputed once for each objective, then once


def test_what_cannot_be_batched_is_done_one_by_one_and_says_why(model, batch):
    def losses():
        return objectives(lambda x: ByItem.apply(model(x)), batch)

    with pytest.warns(UserWarning, match=r"batched: .*item.*; objectives are differentiated one by one"):
        (_, mine), (_, theirs) = both(losses, list(model.parameters()))
    torch.testing.assert_close(mine, theirs)
    accumulator = FairAccumulator(model.parameters(), get_strategy("mpd"), batched=True)
    with pytest.warns(UserWarning, match="batched") as said:
        accumulator.add(losses())
        accumulator.add(losses())
    assert len(said) == 1  # once found impossible, it is not tried again
    assert not accumulator.batched


def test_batched_sparse_gradients_fall_back(batch):
    table = nn.Embedding(4, 3, sparse=True)
    rows = torch.tensor([0, 2])

    def losses():
        return {"a": table(rows).square().sum(), "b": (table(rows) - 1).square().sum()}

    with pytest.warns(UserWarning, match="batched: "):
        (_, mine), (_, theirs) = both(losses, [table.weight])
    torch.testing.assert_close(mine[0].to_dense(), theirs[0].to_dense())


def test_a_graph_that_is_gone_is_told_as_ever(model, batch):
    losses = objectives(model, batch)
    sum(losses.values()).backward()
    with pytest.warns(UserWarning, match="batched"), pytest.raises(RuntimeError, match="second time"):
        fair_backward(losses, model.parameters(), get_strategy("mpd"), batched=True)
