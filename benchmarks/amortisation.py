"""How close amortised directions stay to the exact ones, over the share of exact steps.

    python benchmarks/amortisation.py --data runs/quick/humans/train [--steps 200]

Trains a LoRA on the embedded base along exact MPD directions and records every step: losses, Gram matrix,
sketch (``results/benchmarks/gramians.json``). Then every strategy is asked, step by step, what it would have
done; it sees the Gram matrix only where it asks for it (``results/benchmarks/amortisation.json``). With
``--replay`` the steps stored earlier are taken. About three minutes on one core.
"""

import argparse

import torch
from tqdm import tqdm

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.experiments.derivation.reference import rates_of_descent
from fairhuman.experiments.derivation.replay import Recorded, agreement, recorded, replay
from fairhuman.fairness import Amortised, alpha_fair_weights, fair_backward, get_strategy
from fairhuman.fairness._sketch import sketch_of
from fairhuman.models import load_base
from fairhuman.models.adapters import LoRA
from fairhuman.objectives import present, regional_losses
from fairhuman.results import read_result, write_result
from fairhuman.seeds import example_generator, example_index
from fairhuman.training import Examples, collate

INTERVALS = (2, 3, 5, 8, 10, 20, 50)
WARMUP = 8
MODES = {
    "sketch": {},
    "sketch, regular": {"adaptive": False},
    "losses": {},
    "average": {"mode": "average"},
    "stale": {"mode": "stale"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of people with masks")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", action="store_true", help="take the steps that are stored")
    given = parser.parse_args()
    used = {name: value for name, value in vars(given).items() if name not in ("data", "replay")}
    if not given.replay:
        lines = list(record(given))
        write_result(
            "benchmarks", "gramians", {"steps": lines}, parameters=used, samples=len(lines), seed=given.seed
        )
    stored = read_result("benchmarks", "gramians")
    steps = recorded(stored["values"]["steps"])
    path = write_result(
        "benchmarks",
        "amortisation",
        compare(steps) | {"objectives": list(stored["values"]["steps"][0]["losses"])},
        parameters=stored["parameters"] | {"warmup": WARMUP},
        samples=len(steps),
        seed=stored["seed"],
    )
    print(f"{path}: {len(steps)} steps")
    for row in read_result("benchmarks", "amortisation")["values"]["curves"]:
        print("  {mode:16} every {every:3}: mean {mean:.4f}, between {between:.4f}".format(**row))


def record(given: argparse.Namespace):
    """Steps along exact MPD directions with Adam, as notebook 04 makes them."""
    pipeline = load_base()
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        part.requires_grad_(False)
    lora = LoRA(pipeline, rank=given.rank, seed=given.seed)
    parameters = list(lora.parameters.values())
    optimiser = torch.optim.Adam(parameters, lr=given.learning_rate)
    examples = Examples(pipeline, HumanFolder(given.data), JointTransform(256, flip=0.5))
    strategy = get_strategy("mpd")
    for step in tqdm(range(given.steps)):
        drawn = []
        for position in range(step * given.batch, (step + 1) * given.batch):  # as the training loop draws
            index = example_index(given.seed, position, len(examples))
            drawn.append(examples.draw(index, example_generator(given.seed, position)))
        batch = collate(drawn, examples.scheduler)
        output = lora.predict(batch)
        losses = regional_losses(output, batch.target, batch.masks)
        absent = [name for name, mask in batch.masks.items() if not present(mask).any()]
        live = [None if name in absent else loss for name, loss in losses.items()]
        sketch = sketch_of(live, output, batch.timesteps / examples.scheduler.config.num_train_timesteps)
        optimiser.zero_grad()
        fair = fair_backward(losses, parameters, strategy, absent=absent)
        optimiser.step()
        yield {"losses": fair.losses, "gramian": fair.gramian.tolist(), "sketch": sketch.tolist()}


def compare(steps: list[Recorded]) -> dict[str, object]:
    """Every mode at every interval, and the strategies that need no amortisation."""
    K = torch.stack([step.gramian for step in steps])
    blind = [Recorded(step.losses, step.gramian, step.present) for step in steps]
    curves = []
    for mode, options in MODES.items():
        for every in INTERVALS:
            seen = steps if mode.startswith("sketch") else blind
            weights, exact = replay(seen, Amortised(every=every, warmup=WARMUP, **options))
            curves.append({"mode": mode, "every": every, **summary(seen, weights, exact)})
    fixed = {}
    for name in ("ls", "si", "mpd_closed_form", "fairgrad_official"):
        weights, _ = replay(blind, get_strategy(name))
        fixed[name] = summary(blind, weights, torch.zeros(len(steps), dtype=torch.bool))
    norms = K.diagonal(dim1=-2, dim2=-1).sqrt()
    whole = (norms > 0).all(-1)
    C = K[whole] / norms[whole].unsqueeze(-1) / norms[whole].unsqueeze(-2)
    return {
        "curves": curves,
        "without_amortisation": fixed,
        "median_norms": norms[whole].median(0).values.tolist(),
        "median_cosines": C.median(0).values.tolist(),
        "exact_ascends": float((rates_of_descent(K, alpha_fair_weights(K)) < 0).any(-1).double().mean()),
    }


def summary(steps: list[Recorded], weights: torch.Tensor, exact: torch.Tensor) -> dict[str, float]:
    """Cosine with the exact direction over all steps, and over those that were not exact."""
    cosines, K = agreement(steps, weights), torch.stack([step.gramian for step in steps])
    between = cosines[~exact]
    return {
        "mean": float(cosines.mean()),
        "between": float(between.mean()),
        "between_5": float(between.quantile(0.05)),
        "ascends": float((rates_of_descent(K, weights) < 0).any(-1).double().mean()),
        "exact_share": float(exact.double().mean()),
        "exact_share_after_warmup": float(exact[WARMUP:].double().mean()),
    }


if __name__ == "__main__":
    main()
