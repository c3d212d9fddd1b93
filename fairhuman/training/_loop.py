"""The training loop: one for every strategy, device and base."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.fairness import FairAccumulator, FairStep, get_strategy
from fairhuman.files import owned, write_json
from fairhuman.models import fingerprint_base
from fairhuman.objectives import GLOBAL
from fairhuman.training._agreement import check_agreement, largest, mean
from fairhuman.training._averaging import Averaging
from fairhuman.training._batches import Examples
from fairhuman.training._captions import Captions
from fairhuman.training._checkpoint import CHECKPOINTS, load_checkpoint, newest_readable, save_checkpoint
from fairhuman.training._cropping import cropped, halved
from fairhuman.training._deviations import Deviations
from fairhuman.training._encoding import Encodings
from fairhuman.training._heldout import heldout_errors
from fairhuman.training._inputs import fingerprint_inputs
from fairhuman.training._interruption import Interruption, end
from fairhuman.training._kept import KeptEncodings
from fairhuman.training._objectives import Objectives, Part, shares
from fairhuman.training._optimization import (
    learning_rate,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
)
from fairhuman.training._precision import LossScale
from fairhuman.training._regularisation import read_regularisation
from fairhuman.training._run import (
    BUCKETS_FILE,
    FAILURE_FILE,
    HELDOUT_FILE,
    LOG_FILE,
    MASKS_FILE,
    SAMPLES,
    Log,
    Run,
    check_output,
    noted_failures,
    read_lines,
    remove_run,
    write_settings,
)
from fairhuman.training._samples import write_samples
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import autocast, build_adapter, frozen_base, make_accelerator
from fairhuman.training._strategy import RunStrategy
from fairhuman.training._suitability import check_suitability
from fairhuman.training._watching import coverage, log_pictures, tracked, write_mask_sheet

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
    """Train an adapter, resume an interrupted run, or return immediately if the run is complete.

    All checks come first: nothing is written if the settings, data set, base or output folder are invalid, or
    if another process is working on the folder. The result depends only on the settings: on the same
    machine's CPU, a run that was killed and resumed gives bit-identical weights. On SIGINT, SIGTERM or
    SIGUSR1, the current step is finished and a checkpoint written; the program then exits with status 128 +
    the signal number, or with ``KeyboardInterrupt`` for SIGINT. After a divergence or an out-of-memory error,
    a run may continue with a different learning rate or number of steps, or with options that save memory;
    the change is recorded. A GPU is used if available; ``accelerate launch`` splits batches over several
    processes, which must share the folder.

    Args:
        settings: Settings of the run.
        replace: If the output folder contains a run with different settings or inputs, remove it instead of
            raising an error. Other content is never removed.
        progress: Show a progress bar with the losses on a terminal.
        encodings: Cache of latents and text embeddings that can be passed to the next run with the same base
            and precision. Default: discarded after the run.

    Returns:
        The finished run, with the adapter in diffusers' and peft's layout.

    Raises:
        ValueError, FileNotFoundError: An input is invalid or missing.
        FloatingPointError: There were ``settings.skip_limit`` consecutive non-finite steps.
    """
    may_change = not replace
    other = check_output(settings, may_change=may_change)
    read = settings.regions, settings.conditions or ()
    data = HumanFolder(settings.data, *read)
    heldout = HumanFolder(settings.heldout, *read) if settings.heldout else None
    regularisation = read_regularisation(settings)
    inputs = fingerprint_inputs(settings, data, heldout, regularisation)
    other = other or check_output(settings, inputs, may_change=may_change)
    run = Run(Path(settings.output), settings)
    if other and not replace:
        raise ValueError(f"output: {run.directory} contains another run: {other}")
    if run.complete and not other:
        logger.info("%s: finished before", run.directory)
        return run
    bounds = {"batch": settings.batch_size, "largest_enlargement": settings.largest_enlargement}
    check_suitability(data, settings.transform, **bounds)
    if regularisation:
        check_suitability(regularisation, settings.transform, **bounds)
    trainer = Trainer(run, data, heldout, encodings, inputs["base"], regularisation)
    main = trainer.accelerator.is_main_process
    with owned(run.directory, "output") if main else nullcontext():
        trainer.accelerator.wait_for_everyone()  # all have looked at the folder before one changes it
        if run.complete and not other:  # by a process that has ended just now
            return run
        if other:
            trainer.remove_other()
        trainer.fit(inputs, progress)
    return run


class Trainer:
    """The in-memory state of a run.

    Args:
        run: The run.
        data, heldout: The training and the held-out set.
        encodings: As for :func:`train`.
        base: Fingerprint of the base, for reusing images encoded in other runs.
        regularisation: The regularisation set.
    """

    def __init__(
        self,
        run: Run,
        data: HumanFolder,
        heldout: HumanFolder | None = None,
        encodings: Encodings | None = None,
        base: str | None = None,
        regularisation: HumanFolder | None = None,
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
        self.averaging = Averaging(self.parameters, self.optimizer, settings.ema)
        self.loss_scale, deviations = LossScale(settings.precision), Deviations(settings.released)
        self.strategy = RunStrategy(
            get_strategy(settings.strategy),
            deviations,
            self.loss_scale,
            watched=lambda: _due(self.step, settings.gramian_every),
        )

        def training(folder: HumanFolder, captions: Captions, weight: float = 1.0) -> Examples:
            return Examples(
                self.pipeline,
                folder,
                settings.transform,
                mask_mode=settings.mask_mode,
                cache=settings.cache,
                independent_masks=deviations.independent_masks,
                encodings=encodings,
                kept=self._kept(folder, base),
                regions=settings.regions,
                weight=weight,
                captions=captions,
                chunks=settings.prompt_chunks,
            )

        self.examples = training(data, settings.captions)
        self.regularisation = None
        if regularisation is not None:
            others = replace(settings.captions, trigger=None)  # what the trigger must not come to mean
            self.regularisation = training(regularisation, others, settings.regularisation_weight)
        self.objectives = Objectives(
            settings, self.adapter, self.examples, self.accelerator, deviations, self.regularisation
        )
        if self.regularisation and self.regularisation.weight != 1 and self.objectives.order.alone:
            logger.warning(
                "regularisation_weight: batches may be of regularisation images alone (batch_size 1, or a "
                "bucket of theirs); a strategy that weighs gradients undoes it there in part"
            )
        self.batched = settings.batched_backward
        self.heldout = None
        if heldout is not None:
            whole = replace(settings.transform, crop="center", flip=0.0)
            self.heldout = Examples(
                self.pipeline,
                heldout,
                whole,
                mask_mode=settings.mask_mode,
                captions=settings.captions,
                chunks=settings.prompt_chunks,
            )
        self.step, self.skipped, self.elapsed, self.saved = 0, 0, 0.0, time.monotonic()

    def _kept(self, data: HumanFolder, base: str | None) -> KeptEncodings | None:
        settings = self.settings
        if settings.cache_folder is None:
            return None
        base = fingerprint_base(settings.base) if base is None else base
        names = ("precision", "resolution", "crop", "mask_mode", "regions", "conditions")
        values = {name: settings.to_dict()[name] for name in names}
        if settings.trigger is not None or settings.prompt_chunks > 1:  # what was kept before counts on
            values |= {"trigger": settings.trigger, "prompt_chunks": settings.prompt_chunks}
        if settings.buckets:
            values["buckets"] = repr(settings.transform.buckets)
        place, device = str(data.path.resolve()), self.accelerator.device.type
        return KeptEncodings(
            Path(settings.cache_folder), values | {"data": place, "base": base, "device": device}
        )

    @property
    def finished(self) -> bool:
        """Whether the last step or the time limit has been reached."""
        limit = self.settings.seconds
        return self.step >= self.settings.steps or (limit is not None and self.elapsed >= limit)

    @property
    def grouped(self) -> bool:
        """Whether the next step's images are grouped by region. They are not if one backward pass serves all
        objectives or if the strategy uses each part's losses, because every process must then have the same
        parts."""
        strategy = self.strategy
        return self.settings.group_by_presence and strategy.needs_gramian and not strategy.foresees

    def remove_other(self) -> None:
        """Remove the run to be replaced."""
        if self.accelerator.is_main_process:
            remove_run(self.run.directory)
        self.accelerator.wait_for_everyone()

    def fit(self, inputs: Mapping[str, str], progress: bool) -> None:
        """Run the remaining steps, then write the adapter."""
        from tqdm import tqdm

        main, name = self.accelerator.is_main_process, self.run.directory
        self.resume()
        if main:
            write_settings(self.run.directory, self.settings, inputs, self.step)
        self.accelerator.wait_for_everyone()
        if self.settings.tracker:
            facts = self.settings.facts.items()
            plain = {name: value for name, value in facts if isinstance(value, int | float | str)}
            named = {"wandb": {"name": self.run.directory.name}}
            self.accelerator.init_trackers("fairhuman", plain, named)
        if main and self.step == 0:
            self.show_masks()
        log = Log(self.run.directory / LOG_FILE, self.step) if main else None
        measured = Log(self.run.directory / HELDOUT_FILE, self.step + (self.step > 0)) if main else None
        bar = tqdm(
            total=self.settings.steps,
            initial=self.step,
            desc=self.run.directory.name,
            disable=None if progress and main else True,
        )
        with bar, Interruption() as interruption, noted_failures(name, lambda: self.step):
            while not self.finished:
                if self.step == 0:
                    self.measure(measured)
                line = self.advance()
                if log:
                    log.write(line)
                if self.settings.tracker:
                    self.accelerator.log(tracked(line), step=line["step"])
                bar.update()
                bar.set_postfix({name: f"{loss:.3g}" for name, loss in line["losses"].items()}, refresh=False)
                if self.finished or _due(self.step, self.settings.heldout_every):
                    self.measure(measured)
                if main and _due(self.step, self.settings.sample_every):
                    self.sample()
                asked = 0 if self.finished else largest(self.accelerator, interruption.number)
                if main and (asked or self.checkpoint_due()):
                    self.save()
                if asked:
                    self.accelerator.wait_for_everyone()
                    logger.info("%s: ends after step %d; the same command resumes", name, self.step)
                    raise end(asked)
        if log and measured:
            log.close()
            measured.close()
            changes = {"changes": self.run.changes} if self.run.changes else {}
            with self.averaging.shown():
                self.adapter.save(self.run.directory, self.settings.facts | changes)
            (self.run.directory / FAILURE_FILE).unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()
        if self.settings.tracker:
            self.accelerator.end_training()

    def advance(self) -> dict[str, Any]:
        """Run one step and return its log line."""
        start = time.perf_counter()
        objectives, rate = self.objectives, learning_rate(self.settings, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        examples = objectives.draw(self.step)
        parts = objectives.parts(examples, grouped=self.grouped)
        counts = objectives.counts(parts)
        parameters, length = self.parameters.values(), self.examples.scheduler.config.num_train_timesteps
        accumulator = FairAccumulator(
            parameters, self.strategy, scale=self.loss_scale.value, batched=self.batched
        )
        for part, weight in zip(parts, shares(parts), strict=True):
            output = objectives.predict(part.batch)
            losses = objectives.losses(part, output, counts, weight)
            absent, noise = objectives.absent(part, losses), part.batch.timesteps / length
            accumulator.add(losses, absent=absent, weight=weight, output=output, noise=noise)
            del output, losses  # with the graph, before the next part's
        fair = accumulator.step()
        self.batched = accumulator.batched  # False from the step on at which it was found impossible
        self.apply(fair)
        if fair.finite and self.strategy.reviews:
            self.review(fair, parts, counts)
        self.step += 1
        masks = [example.encoded.masks for example in examples]
        covered = {name: torch.stack([mask[name] for mask in masks]) for name in self.settings.regions}
        with_region = {name: sum(bool(m[name].any()) for m in masks) for name in self.settings.regions}
        seconds = time.perf_counter() - start
        # If a time limit ends the run, all processes must stop together.
        self.elapsed += seconds if self.settings.seconds is None else mean(self.accelerator, seconds)
        return {
            "step": self.step - 1,
            "losses": fair.losses,
            "weights": fair.weights,
            "gramian": None if fair.gramian is None else fair.gramian.tolist(),
            "timesteps": [example.timestep for example in examples],
            "present": {GLOBAL: len(examples)} | with_region,
            "coverage": coverage(covered),
            "finite": fair.finite,
            "learning_rate": rate,
            "seconds": round(seconds, 4),
            **({"size": examples[0].encoded.time_ids[-2:].int().tolist()} if self.settings.buckets else {}),
        }

    def checkpoint_due(self) -> bool:
        """Whether a checkpoint is due, by steps or by time."""
        minutes = self.settings.checkpoint_minutes
        late = minutes > 0 and time.monotonic() - self.saved > 60 * minutes
        return late or _due(self.step, self.settings.checkpoint_every)

    def apply(self, fair: FairStep) -> None:
        """Step the optimiser, unless a loss or gradient was not finite."""
        self.loss_scale.update(fair.finite)
        if fair.finite:
            if self.settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip_norm)
            self.optimizer.step()
            self.averaging.update()
            self.skipped = 0
        else:
            self.skipped += 1
            logger.warning("step %d skipped: loss or gradient not finite (%s)", self.step, fair.losses)
            if self.skipped >= self.settings.skip_limit:
                raise FloatingPointError(
                    f"training: loss or gradient not finite in {self.skipped} consecutive steps, "
                    f"up to step {self.step}: {fair.losses}"
                )
        self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def review(self, fair: FairStep, parts: Sequence[Part], counts: Mapping[str, float] | None) -> None:
        """Report the step's effect on its images' losses to the strategy."""
        after = torch.zeros(len(fair.names), dtype=torch.float64)
        for part, share in zip(parts, shares(parts), strict=True):
            losses = self.objectives.losses(part, self.objectives.predict(part.batch), counts, share)
            after += share * torch.stack([losses[name].double().cpu() for name in fair.names])
        after = torch.tensor([mean(self.accelerator, value) for value in after.tolist()], dtype=torch.float64)
        here = torch.tensor([name not in fair.absent for name in fair.names])
        before = torch.tensor([fair.losses[name] for name in fair.names], dtype=torch.float64)
        self.strategy.review(before, torch.where(here, after, 0.0), here)

    def measure(self, log: Log | None) -> None:
        """Measure held-out regional errors of the current adapter."""
        if self.heldout is None or log is None:
            return
        settings = self.settings
        with autocast(settings, self.accelerator.device), self.averaging.shown():
            found = heldout_errors(
                self.adapter, self.heldout, images=settings.heldout_images, draws=settings.heldout_draws
            )
        errors = {name: found.per_image(name).tolist() for name in found.errors}
        errors = {name: [None if e != e else e for e in values] for name, values in errors.items()}
        log.write({"step": self.step, "errors": errors})

    def show_masks(self) -> None:
        """Write the mask preview and the bucket table before the first step."""
        path, settings = self.run.directory / MASKS_FILE, self.settings
        cell, mode = self.pipeline.vae_scale_factor, settings.mask_mode
        sheet = write_mask_sheet(path, self.examples.data, settings.transform, cell=cell, mode=mode)
        log_pictures(self.accelerator.trackers, "masks", [sheet], self.step)
        logger.info("%s shows the masks as the losses see them", path)
        if settings.buckets:
            sets = {"data": self.examples, "regularisation": self.regularisation}
            found = {name: one.data for name, one in sets.items() if one is not None}
            tables = {
                name: {
                    "buckets": cropped(data, settings.transform),
                    "halved": halved(data, settings.transform),
                }
                for name, data in found.items()
            }
            write_json(self.run.directory / BUCKETS_FILE, tables)

    def sample(self) -> None:
        """Generate validation samples with the current adapter."""
        if self.heldout is None:
            return
        settings = self.settings
        with autocast(settings, self.accelerator.device), self.averaging.shown():
            paths = write_samples(
                self.adapter,
                self.heldout,
                self.run.directory / SAMPLES / f"step-{self.step:06d}",
                count=settings.sample_count,
                seed=settings.seed,
            )
        log_pictures(self.accelerator.trackers, "samples", [Image.open(path) for path in paths], self.step)

    def save(self) -> None:
        """Write a checkpoint."""
        save_checkpoint(
            self.run.directory,
            self.step,
            {
                "parameters": self.parameters,
                "averaging": self.averaging.state_dict(),
                "optimizer": optimizer_state(self.optimizer),
                "strategy": self.strategy.state_dict(),
                "random": torch.get_rng_state(),  # our draws have no state, but a strategy's may
                "skipped": self.skipped,
                "elapsed": self.elapsed,
                "loss_scale": self.loss_scale.state_dict(),
            },
            self.settings.keep_checkpoints,
        )
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Resume from the newest valid checkpoint, the same in every process, and report it.

        Raises:
            ValueError: There are checkpoints but none is readable, or processes differ in step or parameters.
        """
        run, main = self.run.directory, self.accelerator.is_main_process
        found = newest_readable(run) if main else None
        step = largest(self.accelerator, 0 if found is None else found[0])
        if step:
            if found is None:  # the first process has found it in order
                found = load_checkpoint(run / CHECKPOINTS / f"step-{step:08d}.safetensors")
            self.take(*found)
        check_agreement(self.accelerator, self.step, self.parameters.values())
        if not main:
            return
        made, steps = len(read_lines(run / LOG_FILE)), self.settings.steps
        if step:
            logger.info("%s: continues from step %d of %d", run, step, steps)
        elif made:
            logger.warning("%s: has no checkpoint; its %d steps are made again, of %d", run, made, steps)
        else:
            logger.info("%s: new, %d steps", run, steps)

    def take(self, step: int, state: dict[str, Any]) -> None:
        """Restore a checkpoint's state."""
        self.step = step
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["parameters"][name])
        load_optimizer_state(self.optimizer, state["optimizer"])
        if "averaging" in state:
            self.averaging.load_state_dict(state["averaging"])
        self.strategy.load_state_dict(state["strategy"])
        torch.set_rng_state(state["random"])
        self.skipped, self.elapsed = state["skipped"], state["elapsed"]
        self.loss_scale.load_state_dict(state["loss_scale"])


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
