"""Records trainings for the amortised step: each step's Gram matrix, and what could have predicted it.

    python benchmarks/recordings.py lora_early --data FOLDER [--steps 200] [--minutes 10]

Trains along exact MPD directions with Adam and writes ``results/benchmarks/recordings-NAME.json``. Per step:
the losses, the Gram matrix of the gradients by what is trained, the noise level of each example and, for
several places in the network, the gradients by what passes there. Of these the Gram matrices of each example
are kept: of the spatial means (``mean``), of the means on a grid of 4×4 (``coarse``), and of all entries
(``every``). ``benchmarks/predictors.py`` compares predictions by them.

``FOLDER`` holds people with masks, pose and depth, of which the first ``--images`` are drawn; best another
one for each training: ``python -m fairhuman humans FOLDER --count 48 --seed 31``. A step
takes about half a second on a quiet core.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d
from tqdm import tqdm

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.fairness import alpha_fair_weights
from fairhuman.fairness._gramian import gramian_of
from fairhuman.models import Batch, load_base, tiny_pipeline
from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.objectives import present, regional_losses
from fairhuman.results import write_result
from fairhuman.seeds import example_generator, example_index
from fairhuman.training import Examples, collate

TRAININGS = {
    "lora_early": {"adapter": "lora", "before": 0},
    "lora_late": {"adapter": "lora", "before": 100},
    "controlnet": {"adapter": "controlnet", "before": 0},
}
"""``before``: steps along the plain sum, of one image each, that are not recorded."""
DROPOUT = 0.3  # of pictures, where the adapter reads any
GRID = 4  # side of the coarse means
EVERY = 5  # steps between writings


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", choices=list(TRAININGS))
    parser.add_argument("--data", required=True, help="folder of people with masks, pose and depth")
    parser.add_argument("--base", help='folder of a pipeline, or "tiny"; by default the embedded base')
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=1e9, help="time after which a recording ends")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    used = {name: value for name, value in vars(given).items() if name not in ("data", "minutes")}
    end, steps = time.monotonic() + 60 * given.minutes, []
    for step in record(given):
        steps.append(step)
        late = time.monotonic() > end
        if late or len(steps) % EVERY == 0 or len(steps) == given.steps:
            write_result(
                "benchmarks",
                f"recordings-{given.training}",
                {"steps": steps},
                parameters=used | TRAININGS[given.training],
                samples=len(steps),
                seed=given.seed,
            )
        if late:
            break


def record(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The steps of a training."""
    pipeline = tiny_pipeline() if given.base == "tiny" else load_base(given.base)
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        part.requires_grad_(False)
    kind, before = TRAININGS[given.training]["adapter"], TRAININGS[given.training]["before"]
    options = {"rank": given.rank} if kind == "lora" else {}
    adapter = ADAPTERS[kind](pipeline, seed=given.seed, **options)
    data = HumanFolder(given.data, ("face", "hand"), adapter.conditions)
    examples = Examples(pipeline, data, JointTransform(given.resolution))
    parameters = list(adapter.parameters.values())
    optimiser = torch.optim.Adam(parameters, lr=given.learning_rate)
    passed = watched(adapter)
    for step in tqdm(range(before + given.steps)):
        batch = drawn(given, examples, step, given.batch if step >= before else 1, bool(adapter.conditions))
        output = adapter.predict(batch)
        losses = regional_losses(output, batch.target, batch.masks)
        absent = [name for name, mask in batch.masks.items() if not present(mask).any()]
        places = {"output": output} | passed if step >= before else {}
        rows, gradients = [], {place: [] for place in places}
        for name, loss in losses.items():
            wanted = [*places.values(), *parameters]
            found = [torch.zeros_like(tensor) for tensor in wanted]
            if name not in absent:
                found = torch.autograd.grad(loss, wanted, retain_graph=True, materialize_grads=True)
            for place, gradient in zip(places, found, strict=False):
                gradients[place].append(gradient)
            rows.append(found[len(places) :])
        K = gramian_of(rows)
        weights = alpha_fair_weights(K).tolist() if step >= before else [1.0] * len(rows)
        for parameter, *each in zip(parameters, *rows, strict=True):
            parameter.grad = sum(w * gradient for w, gradient in zip(weights, each, strict=True))
        optimiser.step()
        if step >= before:
            yield {
                "losses": {name: float(loss.detach()) for name, loss in losses.items()},
                "gramian": K.tolist(),
                "noise": rounded(batch.timesteps / examples.scheduler.config.num_train_timesteps),
                "places": {place: grams(torch.stack(found)) for place, found in gradients.items()},
            }


def watched(adapter: Adapter) -> Mapping[str, Tensor]:
    """What passed the last places of the network at its latest call, the last one first."""
    last, second = adapter.unet.up_blocks[-1], adapter.unet.up_blocks[-2]
    places = {
        "last block": last,
        "last resnet's input": last.resnets[-2],
        "last block's input": second,
    }
    passed: dict[str, Tensor] = {}
    for place, module in places.items():
        module.register_forward_hook(lambda _, __, output, place=place: passed.update({place: output}))
    return passed


def drawn(given: argparse.Namespace, examples: Examples, step: int, size: int, pictures: bool) -> Batch:
    """The batch of a step, from the first images."""
    found = []
    for position in range(step * given.batch, step * given.batch + size):
        index = example_index(given.seed, position, min(given.images, len(examples)))
        dropout = DROPOUT if pictures else 0.0
        found.append(examples.draw(index, example_generator(given.seed, position), dropout=dropout))
    return collate(found, examples.scheduler)


def grams(D: Tensor) -> dict[str, Any]:
    """Gram matrices of each example, of gradients of shape (m, batch, channels, h, w)."""
    D, positions = D.transpose(0, 1), D.shape[-2] * D.shape[-1]
    kept = {"every": D.flatten(2)}
    for name, side in (("mean", 1), ("coarse", GRID)):
        pooled = adaptive_avg_pool2d(D.flatten(0, 2), side).view(*D.shape[:3], side, side)
        kept[name] = pooled.flatten(2) * (positions / side**2) ** 0.5
    return {name: rounded(rows @ rows.mT) for name, rows in kept.items()}


def rounded(values: Tensor) -> Any:
    """As nested lists, to six digits."""
    if values.ndim:
        return [rounded(value) for value in values]
    return float(f"{values.item():.6g}")


if __name__ == "__main__":
    main()
