"""The browser's solver against the library's, and against what its solutions must fulfil."""

import base64
from functools import partial
from pathlib import Path

import pytest
import torch

import fairhuman.explorers
from fairhuman.experiments.derivation.reference import potential_delay, rates_of_descent
from fairhuman.fairness import closed_form_weights, get_strategy, solve_alpha_fair

SOLVER = Path(fairhuman.explorers.__file__).with_name("solver.js").read_bytes()
MATRICES = 1000

tensor = partial(torch.tensor, dtype=torch.float64)


@pytest.fixture
def solve(chromium):
    """``solve(expression, matrices)``: an expression in K, i and the solver's functions, for each matrix."""
    with chromium() as context:
        page = context.new_page()
        module = f"data:text/javascript;base64,{base64.b64encode(SOLVER).decode()}"

        def call(expression, matrices, more=()):
            return page.evaluate(
                f"""([matrices, more]) => import({module!r}).then(solver =>
                matrices.map((K, i) => {{ const one = more[i]; return {expression}; }}))""",
                [[K.tolist() for K in matrices], list(more)],
            )

        yield call


@pytest.fixture
def matrices():
    """Two to four gradients in few or many dimensions, lengths from 1e-4 to 1; in every tenth one is zero."""
    draw = torch.Generator().manual_seed(7)
    found = []
    for number in range(MATRICES):
        m = 2 + number % 3
        G = torch.randn(m, (m, m + 2, 50)[number // 3 % 3], generator=draw, dtype=torch.float64)
        G *= 10 ** (-4 * torch.rand(m, 1, generator=draw, dtype=torch.float64))
        if number % 10 == 9:
            G[number % m] = 0
        found.append(G @ G.T)
    return found


def apart(found, expected):
    """Largest difference, over the largest weight of its matrix."""
    pairs = zip(map(tensor, found), expected, strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def test_exact_weights_are_the_librarys(solve, matrices):
    alphas = [0.5, 1.0, 2.0, 8.0, 32.0]
    for alpha, found in zip(
        alphas, zip(*solve(f"{alphas}.map(a => solver.alphaFair(K, a))", matrices), strict=True), strict=True
    ):
        expected = [solve_alpha_fair(K, alpha) for K in matrices]
        assert [one["stationary"] for one in found] == [bool(one.stationary) for one in expected]
        for one, known in zip(found, expected, strict=True):
            # Each weight by itself: small ones count too.
            torch.testing.assert_close(tensor(one["weights"]), known.weights, rtol=1e-9, atol=0.0)


def test_equation_10_is_the_librarys(solve, matrices):
    alphas = [0.5, 2.0, 8.0]
    for alpha, found in zip(
        alphas, zip(*solve(f"{alphas}.map(a => solver.closedForm(K, a))", matrices), strict=True), strict=True
    ):
        for K, one in zip(matrices, found, strict=True):
            present = K.diagonal() > 0
            # The smallest eigenvalue has no more digits than this, by whatever method.
            known = torch.finfo(torch.float64).eps * float(torch.linalg.cond(K[present][:, present]))
            assert apart([one], [closed_form_weights(K, alpha)]) < 1e-9 + 10 * known


def test_nash_is_the_librarys(solve, matrices):
    strategy = get_strategy("nash_mtl")
    found = solve("solver.nash(K).weights", matrices)
    assert apart(found, [strategy.weights(K.diagonal(), K, K.diagonal() > 0) for K in matrices]) < 1e-9


def test_rates_and_their_cost_are_the_librarys(solve, matrices):
    matrices = [K for K in matrices if bool((K.diagonal() > 0).all())]
    weights = [torch.ones(len(K), dtype=torch.float64) for K in matrices]
    rates = [rates_of_descent(K, w) for K, w in zip(matrices, weights, strict=True)]
    found = solve("solver.ratesOfDescent(K, K.map(() => 1))", matrices)
    assert apart(found, rates) < 1e-9
    costs = solve("String(solver.potentialDelay(one))", matrices, [one.tolist() for one in rates])
    expected = torch.stack([potential_delay(one) for one in rates])
    torch.testing.assert_close(tensor([float(one) for one in costs]), expected, rtol=1e-9, atol=0.0)
    assert 0 < expected.isinf().sum() < len(expected)


def test_max_min_is_the_shortest_convex_combination(solve, matrices):
    matrices = [K for K in matrices if bool((K.diagonal() > 0).all())]
    for K, found in zip(matrices, solve("solver.maxMin(K)", matrices), strict=True):
        w = tensor(found)
        square = w @ K @ w
        assert bool((w >= 0).all()) and abs(float(w.sum()) - 1) < 1e-9
        # Optimal if and only if no gradient's rate is below the combination's own.
        assert float((K @ w).min()) >= float(square) * (1 - 1e-6) - 1e-15 * float(K.max())


def test_gradients_that_cancel_have_no_direction(solve):
    G = tensor([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])
    cancelling, zero = G @ G.T, torch.zeros(3, 3)
    found = solve("[0.5, 1, 2].map(a => solver.alphaFair(K, a))", [cancelling, zero])
    assert found[0] == 3 * [{"weights": [0, 0, 0], "stationary": True}]
    assert found[1] == 3 * [{"weights": [0, 0, 0], "stationary": False}]
    shortest, absent = solve("solver.maxMin(K)", [cancelling, zero])
    assert shortest == pytest.approx([1 / 3] * 3) and absent == [0, 0, 0]
    assert solve("solver.closedForm(K)", [zero]) == [[0, 0, 0]]
