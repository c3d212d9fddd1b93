"""The training loop: one for every strategy, device and base."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.fairness import FairAccumulator, FairStep, Strategy, get_strategy
from fairhuman.objectives import GLOBAL, present, regional_losses
from fairhuman.seeds import example_generator, example_index
from fairhuman.training._batches import Batch, Examples, collate
from fairhuman.training._checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from fairhuman.training._encoding import Encodings
from fairhuman.training._heldout import heldout_errors
from fairhuman.training._inputs import fingerprint_inputs
from fairhuman.training._noising import min_snr_weights
from fairhuman.training._optimization import learning_rate, make_optimizer
from fairhuman.training._precision import PRECISIONS, LossScale
from fairhuman.training._released import GRAD_SCALE, LOCAL_SCALE, AsReleased, image_error_weights
from fairhuman.training._run import HELDOUT_FILE, LOG_FILE, Log, Run, check_output, write_settings
from fairhuman.training._samples import write_samples
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import autocast, build_adapter, frozen_base, make_accelerator
from fairhuman.training._watch import Watched

if TYPE_CHECKING:
    from fairhuman.training._batches import Example

__all__ = ["train"]

logger = logging.getLogger(__name__)


@torch.enable_grad()
def train(
    settings: TrainSettings,
    *,
    replace: bool = False,
    progress: bool = True,
    encodings: Encodings | None = None,
) -> Run:
    """Train an adapter, or take up a run that was cut off, or return at once if it is complete.

    All checks come first: nothing is written if the settings, the data set, the base or the output
    folder are not in order. The result depends on the settings alone: a run killed at any moment and
    resumed ends, on one machine's CPU, with the same bits as one that was never interrupted. Starts on
    a GPU if there is one; ``accelerate launch`` spreads a batch over several processes.

    Args:
        settings: The run.
        replace: Where the output folder holds another run, of other settings or inputs, remove that one
            instead of refusing. A folder that holds anything else is refused in any case.
        progress: Show a progress bar with the losses, on a terminal.
        encodings: Where latents and text embeddings are kept, to be handed to the next run of the same base
            in the same precision; by default they are forgotten after the run.

    Returns:
        The finished run, with the adapter in the layout of diffusers and peft.

    Raises:
        ValueError, FileNotFoundError: Something asked for is wrong or missing.
        FloatingPointError: ``settings.skip_limit`` non-finite steps in a row.
    """
    strategy = get_strategy(settings.strategy)
    other = check_output(settings)
    data = HumanFolder(settings.data, settings.regions, settings.conditions)
    heldout = settings.heldout and HumanFolder(settings.heldout, settings.regions, settings.conditions)
    inputs = fingerprint_inputs(settings, data, heldout)
    other = other or check_output(settings, inputs)
    run = Run(Path(settings.output), settings)
    if other and not replace:
        raise ValueError(f"output: {run.directory} holds another run: {other}")
    if run.complete and not other:
        return run
    trainer = _Trainer(run, strategy, data, heldout, encodings)
    trainer.accelerator.wait_for_everyone()  # all have looked at the folder before one changes it
    if other:
        trainer.remove_other()
    trainer.fit(inputs, progress)
    return run


class _Trainer:
    """Everything that a run holds in memory."""

    def __init__(
        self,
        run: Run,
        strategy: Strategy,
        data: HumanFolder,
        heldout: HumanFolder | None,
        encodings: Encodings | None = None,
    ) -> None:
        settings = run.settings
        self.run, self.settings = run, settings
        self.released = AsReleased(strategy, settings.released)
        self.strategy = Watched(self.released, settings.gramian_every)
        self.accelerator = make_accelerator(settings)
        self.pipeline = frozen_base(settings, self.accelerator.device)
        self.adapter = build_adapter(self.pipeline, settings)
        if settings.gradient_checkpointing:
            self.adapter.checkpoint_gradients()
        self.parameters = self.adapter.parameters
        self.optimizer = make_optimizer(settings, list(self.parameters.values()))
        self.loss_scale = LossScale(settings.precision)
        self.examples = Examples(
            self.pipeline, data, settings.transform, settings.mask_mode, settings.cache,
            "independent_flips" in settings.released, encodings,
        )  # fmt: skip
        self.heldout = heldout and Examples(
            self.pipeline, heldout, JointTransform(settings.resolution), settings.mask_mode
        )
        if settings.min_snr is not None:  # refused for a flow before the first step
            min_snr_weights(self.examples.scheduler, torch.zeros(1, dtype=torch.long), settings.min_snr)
        self.step, self.skipped, self.elapsed = 0, 0, 0.0

    @property
    def finished(self) -> bool:
        """Whether the last step, or the last second, has been made."""
        limit = self.settings.seconds
        return self.step >= self.settings.steps or (limit is not None and self.elapsed >= limit)

    def remove_other(self) -> None:
        """Remove the run that is in the way: half removed, it would be no run any more."""
        if self.accelerator.is_main_process:
            path = self.run.directory
            doomed = path.with_name(f".{path.name}.removed")
            shutil.rmtree(doomed, ignore_errors=True)
            shutil.rmtree(path.replace(doomed))
        self.accelerator.wait_for_everyone()

    def fit(self, inputs: Mapping[str, str], progress: bool) -> None:
        """Make the steps that are left, then write the adapter."""
        from tqdm import tqdm

        main = self.accelerator.is_main_process
        self.resume()
        if main:
            write_settings(self.run.directory, self.settings, inputs)
        self.accelerator.wait_for_everyone()
        if self.settings.tracker:
            facts = self.settings.facts.items()
            plain = {name: value for name, value in facts if isinstance(value, int | float | str)}
            named = {"wandb": {"name": self.run.directory.name}}
            self.accelerator.init_trackers("fairhuman", plain, named)
        log = Log(self.run.directory / LOG_FILE, self.step) if main else None
        measured = Log(self.run.directory / HELDOUT_FILE, self.step + (self.step > 0)) if main else None
        bar = tqdm(
            total=self.settings.steps,
            initial=self.step,
            desc=self.run.directory.name,
            disable=None if progress and main else True,
        )
        with bar:
            while not self.finished:
                if self.step == 0:
                    self.measure(measured)
                line = self.advance()
                if log:
                    log.write(line)
                if self.settings.tracker:
                    self.accelerator.log(_tracked(line), step=line["step"])
                bar.update()
                bar.set_postfix({name: f"{loss:.3g}" for name, loss in line["losses"].items()}, refresh=False)
                if self.finished or _due(self.step, self.settings.heldout_every):
                    self.measure(measured)
                if main and _due(self.step, self.settings.sample_every):
                    self.sample()
                if main and _due(self.step, self.settings.checkpoint_every):
                    self.save()
        if main:
            log.close()
            measured.close()
            self.adapter.save(self.run.directory, self.settings.facts)
        self.accelerator.wait_for_everyone()
        if self.settings.tracker:
            self.accelerator.end_training()

    def advance(self) -> dict[str, Any]:
        """One step; returns its line for the log."""
        start = time.perf_counter()
        settings, rate = self.settings, learning_rate(self.settings, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.strategy.step = self.step
        self.released.scale = self.loss_scale.value if self.loss_scale.dynamic else GRAD_SCALE
        examples = self.draw(self.step)
        parts = self.parts(examples)
        if "overwriting_accumulation" in settings.released:
            parts = parts[-1:]
        counts, weight = self.counts(parts), 1 / len(parts)
        accumulator = FairAccumulator(
            self.parameters.values(), self.strategy, scale=self.loss_scale.value
        )  # fmt: skip
        for batch, weights in parts:
            absent = [name for name, mask in batch.masks.items() if not present(mask).any()]
            output = self.predict(batch)
            losses = self.losses(batch, weights, counts, output)
            noise = batch.timesteps / self.examples.scheduler.config.num_train_timesteps
            accumulator.add(losses, absent=absent, weight=weight, output=output, noise=noise)
        fair = accumulator.step()
        self.apply(fair)
        self.step += 1
        seconds = time.perf_counter() - start
        self.elapsed += self.agreed(seconds)
        return {
            "step": self.step - 1,
            "losses": fair.losses,
            "weights": fair.weights,
            "gramian": None if fair.gramian is None else fair.gramian.tolist(),
            "timesteps": [example.timestep for example in examples],
            "present": {GLOBAL: len(examples)}
            | {name: sum(bool(e.encoded.masks[name].any()) for e in examples) for name in settings.regions},
            "finite": fair.finite,
            "learning_rate": rate,
            "seconds": round(seconds, 4),
        }

    def draw(self, step: int) -> list[Example]:
        """This process's share of a step's images, with timesteps and noises."""
        settings, size, processes = self.settings, self.settings.batch_size, self.accelerator.num_processes
        share = size // processes
        first = step * size + self.accelerator.process_index * share
        return [
            self.examples.draw(
                example_index(settings.seed, position, len(self.examples)),
                example_generator(settings.seed, position),
                dropout=settings.condition_dropout,
                noise_offset=settings.noise_offset,
            )
            for position in range(first, first + share)
        ]

    def parts(self, examples: list[Example]) -> list[tuple[Batch, Tensor | None]]:
        """The images in the parts that pass through the network, each with the weights of its errors."""
        size, scheduler = len(examples) // self.settings.accumulation, self.examples.scheduler
        found = []
        for first in range(0, len(examples), size):
            part = examples[first : first + size]
            kind = PRECISIONS[self.settings.precision]
            batch = collate(part, scheduler, self.accelerator.device, kind)
            found.append((batch, self.weights(torch.tensor([example.timestep for example in part]))))
        return found

    def weights(self, steps: Tensor) -> Tensor | None:
        """Factor on the errors of each image, or ``None`` for 1."""
        scheduler, gamma, weights = self.examples.scheduler, self.settings.min_snr, None
        if gamma is not None:
            weights = min_snr_weights(scheduler, steps, gamma)
        if "x0_term" in self.settings.released:
            weights = image_error_weights(scheduler, steps) + (1.0 if weights is None else weights)
        return None if weights is None else weights.to(self.accelerator.device)

    def counts(self, parts: list[tuple[Batch, Tensor | None]]) -> dict[str, float] | None:
        """Mean number of images with each region in a part: makes ``mask`` losses those of the whole."""
        processes = self.accelerator.num_processes
        if self.settings.reduction != "mask" or len(parts) * processes == 1:
            return None
        names = list(self.settings.regions)
        found = torch.tensor(
            [float(sum(present(batch.masks[name]).sum() for batch, _ in parts)) for name in names],
            device=self.accelerator.device,
        )
        if processes > 1:
            found = self.accelerator.reduce(found, "sum")
        return dict(zip(names, (found / (len(parts) * processes)).tolist(), strict=True))

    def predict(self, batch: Batch) -> Tensor:
        """The network's answer to one part."""
        with autocast(self.settings, self.accelerator.device):
            return self.adapter.predict(batch)

    def losses(
        self,
        batch: Batch,
        weights: Tensor | None,
        counts: Mapping[str, float] | None,
        prediction: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The objectives of one part, of the network's answer if that is there already."""
        settings = self.settings
        scale = LOCAL_SCALE if "local_scale_inside" in settings.released else settings.local_scale
        prediction = self.predict(batch) if prediction is None else prediction
        return regional_losses(
            prediction, batch.target, batch.masks, settings.reduction, scale, weights=weights, counts=counts
        )

    def agreed(self, seconds: float) -> float:
        """One number for all processes, where they must stop together."""
        if self.settings.seconds is None or self.accelerator.num_processes == 1:
            return seconds
        measured = torch.tensor(seconds, device=self.accelerator.device)
        return float(self.accelerator.reduce(measured, "mean"))

    def apply(self, fair: FairStep) -> None:
        """Step the optimiser, unless a loss or gradient was not finite."""
        self.loss_scale.update(fair.finite)
        if fair.finite:
            if self.settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip_norm)
            self.optimizer.step()
            self.skipped = 0
        else:
            self.skipped += 1
            logger.warning("step %d skipped: loss or gradient not finite (%s)", self.step, fair.losses)
            if self.skipped >= self.settings.skip_limit:
                raise FloatingPointError(
                    f"training: loss or gradient not finite in {self.skipped} steps in a row, "
                    f"up to step {self.step}: {fair.losses}"
                )
        self.optimizer.zero_grad(set_to_none=True)

    def measure(self, log: Log | None) -> None:
        """Held-out regional errors of the adapter as it is now."""
        if self.heldout is None or log is None:
            return
        settings = self.settings
        with autocast(settings, self.accelerator.device):
            found = heldout_errors(
                self.adapter, self.heldout, images=settings.heldout_images, draws=settings.heldout_draws
            )
        errors = {name: found.per_image(name).tolist() for name in found.errors}
        errors = {name: [None if e != e else e for e in values] for name, values in errors.items()}
        log.write({"step": self.step, "errors": errors})

    def sample(self) -> None:
        """Validation samples of the adapter as it is now."""
        settings = self.settings
        with autocast(settings, self.accelerator.device):
            write_samples(
                self.adapter,
                self.heldout,
                self.run.directory / "samples" / f"step-{self.step:06d}",
                count=settings.sample_count,
                seed=settings.seed,
            )

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            self.run.directory,
            self.step,
            {
                "parameters": self.parameters,
                "optimizer": {str(k): v for k, v in self.optimizer.state_dict()["state"].items()},
                "strategy": self.strategy.state_dict(),
                "random": torch.get_rng_state(),  # our draws have no state, but a strategy's may
                "skipped": self.skipped,
                "elapsed": self.elapsed,
                "loss_scale": self.loss_scale.state_dict(),
            },
            self.settings.keep_checkpoints,
        )

    def resume(self) -> None:
        """Take up the latest checkpoint, if there is one."""
        path = latest_checkpoint(self.run.directory)
        if path is None:
            return
        self.step, state = load_checkpoint(path)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["parameters"][name])
        groups = self.optimizer.state_dict()["param_groups"]
        moments = {int(index): values for index, values in state["optimizer"].items()}
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.strategy.load_state_dict(state["strategy"])
        torch.set_rng_state(state["random"])
        self.skipped, self.elapsed = state["skipped"], state["elapsed"]
        self.loss_scale.load_state_dict(state["loss_scale"])
        logger.info("resumed %s after %d steps", self.run.directory, self.step)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _tracked(line: Mapping[str, Any]) -> dict[str, float]:
    """What a tracker is sent of a step."""
    values = {}
    for kind in ("losses", "weights"):
        values |= {f"{kind}/{name}": value for name, value in line[kind].items()}
    return values | {"learning_rate": line["learning_rate"], "seconds": line["seconds"]}
