"""The training loop: one for every strategy, device and base."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.fairness import FairAccumulator, FairStep, get_strategy
from fairhuman.objectives import GLOBAL, present
from fairhuman.training._batches import Examples
from fairhuman.training._checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from fairhuman.training._deviations import Deviations
from fairhuman.training._encoding import Encodings
from fairhuman.training._heldout import heldout_errors
from fairhuman.training._inputs import fingerprint_inputs
from fairhuman.training._objectives import Objectives
from fairhuman.training._optimization import learning_rate, make_optimizer
from fairhuman.training._precision import LossScale
from fairhuman.training._run import HELDOUT_FILE, LOG_FILE, Log, Run, check_output, write_settings
from fairhuman.training._samples import write_samples
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import autocast, build_adapter, frozen_base, make_accelerator
from fairhuman.training._strategy import RunStrategy

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
    trainer = Trainer(run, data, heldout, encodings)
    trainer.accelerator.wait_for_everyone()  # all have looked at the folder before one changes it
    if other:
        trainer.remove_other()
    trainer.fit(inputs, progress)
    return run


class Trainer:
    """Everything that a run holds in memory.

    Args:
        run: The run.
        data, heldout: The training and the held-out set.
        encodings: As for :func:`train`.
    """

    def __init__(
        self,
        run: Run,
        data: HumanFolder,
        heldout: HumanFolder | None = None,
        encodings: Encodings | None = None,
    ) -> None:
        settings = run.settings
        self.run, self.settings = run, settings
        self.accelerator = make_accelerator(settings)
        self.pipeline = frozen_base(settings, self.accelerator.device)
        self.adapter = build_adapter(self.pipeline, settings)
        if settings.gradient_checkpointing:
            self.adapter.checkpoint_gradients()
        self.parameters = self.adapter.parameters
        self.optimizer = make_optimizer(settings, list(self.parameters.values()))
        self.loss_scale, deviations = LossScale(settings.precision), Deviations(settings.released)
        self.strategy = RunStrategy(
            get_strategy(settings.strategy),
            deviations,
            self.loss_scale,
            watched=lambda: _due(self.step, settings.gramian_every),
        )
        self.examples = Examples(
            self.pipeline,
            data,
            settings.transform,
            mask_mode=settings.mask_mode,
            cache=settings.cache,
            independent_masks=deviations.independent_masks,
            encodings=encodings,
        )
        self.objectives = Objectives(settings, self.adapter, self.examples, self.accelerator, deviations)
        self.heldout = heldout and Examples(
            self.pipeline, heldout, JointTransform(settings.resolution), mask_mode=settings.mask_mode
        )
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
        objectives, rate = self.objectives, learning_rate(self.settings, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        examples = objectives.draw(self.step)
        parts = objectives.parts(examples)
        counts, weight = objectives.counts(parts), 1 / len(parts)
        parameters, length = self.parameters.values(), self.examples.scheduler.config.num_train_timesteps
        accumulator = FairAccumulator(parameters, self.strategy, scale=self.loss_scale.value)
        for part in parts:
            batch = part.batch
            absent = [name for name, mask in batch.masks.items() if not present(mask).any()]
            output = objectives.predict(batch)
            losses = objectives.losses(part, output, counts)
            noise = batch.timesteps / length
            accumulator.add(losses, absent=absent, weight=weight, output=output, noise=noise)
        fair = accumulator.step()
        self.apply(fair)
        self.step += 1
        masks = [example.encoded.masks for example in examples]
        with_region = {name: sum(bool(m[name].any()) for m in masks) for name in self.settings.regions}
        seconds = time.perf_counter() - start
        self.elapsed += self.agreed(seconds)
        return {
            "step": self.step - 1,
            "losses": fair.losses,
            "weights": fair.weights,
            "gramian": None if fair.gramian is None else fair.gramian.tolist(),
            "timesteps": [example.timestep for example in examples],
            "present": {GLOBAL: len(examples)} | with_region,
            "finite": fair.finite,
            "learning_rate": rate,
            "seconds": round(seconds, 4),
        }

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
