"""The training loop: one for every strategy, device and base."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fairhuman.data import HumanFolder
from fairhuman.fairness import FairStep, Strategy, fair_backward, get_strategy
from fairhuman.objectives import GLOBAL, present, regional_losses
from fairhuman.training._adapter import build_adapter, training_facts
from fairhuman.training._batches import Batch, Examples, collate
from fairhuman.training._checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from fairhuman.training._heldout import heldout_errors
from fairhuman.training._inputs import fingerprint_base, fingerprint_data
from fairhuman.training._random import EXAMPLE, example_index, generator
from fairhuman.training._run import HELDOUT_FILE, LOG_FILE, Log, Run, check_output, write_settings
from fairhuman.training._settings import TrainSettings
from fairhuman.training._watch import Watched

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers import StableDiffusionXLPipeline

__all__ = ["train"]

logger = logging.getLogger(__name__)


def train(settings: TrainSettings, *, replace: bool = False, progress: bool = True) -> Run:
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
    inputs = {"data": fingerprint_data(data), "base": fingerprint_base(settings.base)}
    if heldout:
        inputs["heldout"] = fingerprint_data(heldout)
    other = other or check_output(settings, inputs)
    run = Run(Path(settings.output), settings)
    if other and not replace:
        raise ValueError(f"output: {run.directory} holds another run: {other}")
    if run.complete and not other:
        return run
    trainer = _Trainer(run, strategy, data, heldout)
    if other:
        shutil.rmtree(run.directory)
    trainer.fit(inputs, progress)
    return run


class _Trainer:
    """Everything that a run holds in memory."""

    def __init__(self, run: Run, strategy: Strategy, data: HumanFolder, heldout: HumanFolder | None) -> None:
        settings = run.settings
        self.run, self.settings = run, settings
        self.strategy = Watched(strategy, settings.gramian_every)
        self.accelerator = _accelerator(settings)
        self.pipeline = _base(settings, self.accelerator)
        self.unet = self.pipeline.unet
        self.adapter = build_adapter(self.pipeline, settings)
        if settings.gradient_checkpointing:
            self.adapter.checkpoint_gradients()
        self.parameters = self.adapter.parameters
        self.optimizer = _optimizer(settings, list(self.parameters.values()))
        self.examples = Examples(self.pipeline, data, settings.transform, settings.mask_mode, settings.cache)
        self.heldout = heldout and Examples(
            self.pipeline, heldout, type(settings.transform)(settings.resolution), settings.mask_mode
        )
        self.step, self.skipped = 0, 0

    def fit(self, inputs: Mapping[str, str], progress: bool) -> None:
        """Make the steps that are left, then write the adapter."""
        from tqdm import tqdm

        main = self.accelerator.is_main_process
        self.resume()
        if main:
            write_settings(self.run.directory, self.settings, inputs)
        self.accelerator.wait_for_everyone()
        log = Log(self.run.directory / LOG_FILE, self.step) if main else None
        measured = Log(self.run.directory / HELDOUT_FILE, self.step + (self.step > 0)) if main else None
        bar = tqdm(
            total=self.settings.steps,
            initial=self.step,
            desc=self.run.directory.name,
            disable=None if progress and main else True,
        )
        with bar:
            while self.step < self.settings.steps:
                if self.step == 0:
                    self.measure(measured)
                line = self.advance()
                if log:
                    log.write(line)
                bar.update()
                bar.set_postfix({name: f"{loss:.3g}" for name, loss in line["losses"].items()}, refresh=False)
                if self.step % self.settings.heldout_every == 0 or self.step == self.settings.steps:
                    self.measure(measured)
                if main and _due(self.step, self.settings.checkpoint_every):
                    self.save()
        if main:
            log.close()
            measured.close()
            self.adapter.save(self.run.directory, training_facts(self.settings))
        self.accelerator.wait_for_everyone()

    def advance(self) -> dict[str, Any]:
        """One step; returns its line for the log."""
        start = time.perf_counter()
        batch = self.batch(self.step)
        with self.accelerator.autocast():
            prediction = self.adapter.predict(batch)
        settings = self.settings
        losses = regional_losses(
            prediction, batch.target, batch.masks, settings.reduction, settings.local_scale
        )
        here = {name: int(present(mask).sum()) for name, mask in batch.masks.items()}
        absent = [name for name, count in here.items() if count == 0]
        self.strategy.step = self.step
        fair = fair_backward(losses, self.parameters.values(), self.strategy, absent=absent)
        self.apply(fair)
        self.step += 1
        return {
            "step": self.step - 1,
            "losses": fair.losses,
            "weights": fair.weights,
            "gramian": None if fair.gramian is None else fair.gramian.tolist(),
            "timesteps": batch.timesteps.tolist(),
            "present": {GLOBAL: len(batch.noisy), **here},
            "finite": fair.finite,
            "seconds": round(time.perf_counter() - start, 4),
        }

    def batch(self, step: int) -> Batch:
        """This process's share of a step's batch."""
        size, processes = self.settings.batch_size, self.accelerator.num_processes
        share = size // processes
        first = step * size + self.accelerator.process_index * share
        drawn = []
        for position in range(first, first + share):
            index = example_index(self.settings.seed, position, len(self.examples))
            random = generator(self.settings.seed, EXAMPLE, position)
            drawn.append(self.examples.draw(index, random, dropout=self.settings.condition_dropout))
        return collate(drawn, self.examples.scheduler, self.accelerator.device, self.unet.dtype)

    def apply(self, fair: FairStep) -> None:
        """Step the optimiser, unless a loss or gradient was not finite."""
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
        with self.accelerator.autocast():
            found = heldout_errors(
                self.adapter, self.heldout, images=settings.heldout_images, draws=settings.heldout_draws
            )
        errors = {name: found.per_image(name).tolist() for name in found.errors}
        errors = {name: [None if e != e else e for e in values] for name, values in errors.items()}
        log.write({"step": self.step, "errors": errors})

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
        self.skipped = state["skipped"]
        logger.info("resumed %s after %d steps", self.run.directory, self.step)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _accelerator(settings: TrainSettings) -> Accelerator:
    from accelerate import Accelerator

    accelerator = Accelerator(mixed_precision=settings.precision)
    if settings.batch_size % accelerator.num_processes:
        raise ValueError(
            f"batch_size: must be a multiple of the {accelerator.num_processes} processes, "
            f"got {settings.batch_size}"
        )
    return accelerator


def _base(settings: TrainSettings, accelerator: Accelerator) -> StableDiffusionXLPipeline:
    """The frozen base on its device: UNet and text encoders in the training precision, the autoencoder
    in float32, because SDXL's overflows in half precision."""
    from fairhuman.models import load_base

    base = None if settings.base is None else settings.base
    pipeline = load_base(Path(base) if base and Path(base).exists() else base)
    factor = 8 * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
    if settings.resolution % factor:
        raise ValueError(
            f"resolution: must be a multiple of {factor} for this base, got {settings.resolution}"
        )
    if settings.precision == "bf16":
        for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
            module.to(torch.bfloat16)
    for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        module.requires_grad_(False)
    return pipeline.to(accelerator.device)


def _optimizer(settings: TrainSettings, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=settings.learning_rate)
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
