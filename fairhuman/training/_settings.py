"""Validated settings of a training run, from Python, a mapping or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from fairhuman.data import Buckets, JointTransform
from fairhuman.fairness import STRATEGIES, get_strategy
from fairhuman.models.adapters import ADAPTERS, kinds_with
from fairhuman.objectives import Reduction
from fairhuman.profiles import unknown
from fairhuman.regions import MaskMode, check_regions
from fairhuman.settings import (
    BARE_NO,
    Count,
    Folder,
    Names,
    Number,
    Place,
    Positive,
    Settings,
    Side,
    Unsigned,
    Whole,
    Wholes,
    require,
    rule,
)
from fairhuman.training._captions import Captions
from fairhuman.training._deviations import check_released

__all__ = ["TrainSettings"]

_Dropout = Annotated[Number, rule("must be in [0, 1)", lambda share: 0 <= share < 1)]
_Decay = Annotated[Number, rule("must be in (0, 1)", lambda decay: 0 < decay < 1)]
_Factor = Annotated[Number, rule("must be ≥ 1", lambda factor: factor >= 1)]
_PLACES = ("data", "output", "heldout", "start", "experts", "cache_folder", "regularisation")
_CONDITION_DROPOUT = 0.3  # the paper's
_GOES_WITH = {"condition_dropout": "conditions"}
"""Training setting → adapter option without which it has no effect."""
_IDLE: Mapping[str, Any] = MappingProxyType({"targets": (), "conditions": (), "condition_dropout": 0.0})
"""Settings with an adapter-specific default → value for adapters that do not use them."""


class TrainSettings(Settings):
    """Settings of one run of :func:`fairhuman.training.train`, validated on construction.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be empty, missing, or contain this run, which is then resumed.
        base: Folder of a Stable Diffusion XL pipeline or a repository name; ``None`` selects the embedded
            base.
        regions: Regions with their own objective, in addition to the global one; may be empty.
        preservation: Add the objective ``preservation`` as the last one, weighted like the others: outside
            all regions, the prediction should equal the frozen base's (see
            :func:`fairhuman.objectives.preservation_loss`). It costs a forward pass of the base. It needs
            regions, and an adapter without condition images, because a ControlNet's conditions also affect
            the area outside. ``mpd`` gives small gradients large weights, and this gradient is smallest at
            the start; ``ls:<w>,…`` keeps its weight fixed.
        strategy: How the objectives are weighted (see :func:`fairhuman.fairness.get_strategy`).
        mask_mode: How masks are resampled to the latent grid (see :func:`fairhuman.regions.latent_mask`).
        reduction: Scale of the losses (see :func:`fairhuman.objectives.regional_losses`).
        local_scale: Factor on the regional losses, > 0.
        adapter: Kind of adapter, from :data:`fairhuman.models.adapters.ADAPTERS`.
        rank: Rank of the LoRA, or of each MoLE expert, ≥ 1.
        alpha: The LoRA's output is scaled by alpha / rank; ``None`` means alpha = rank.
        rslora: Scale it by alpha / √rank instead.
        dora: Train a DoRA, which learns each output's magnitude separately from its direction.
        targets: Name suffixes of the UNet layers to adapt; ``None`` means attention layers for a LoRA, and
            all linear layers of the transformers for MoLE.
        experts: Two LoRAs (run folders), for faces and for hands, that MoLE's third stage combines; they
            define rank and alpha. ``None`` starts both experts from scratch.
        gates_only: Freeze MoLE's experts and train only its gates.
        text_encoders: Also train a LoRA on both text encoders.
        conditions: Condition images of the adapter, ``pose`` and ``depth``; ``None`` means both for
            conditioned adapters.
        condition_dropout: Probability, independent for each image, that its conditions are replaced by black,
            in [0, 1); ``None`` means the paper's 0.3 for conditioned adapters.
        start: A trained adapter of the same kind to continue from (run folder or checkpoint), or ``None``. A
            MoLE defines its layers, ranks and alphas.
        resolution: Side length of the training images in pixels, a multiple of 8.
        buckets: Resize each image not to a square but to the size with the nearest aspect ratio, out of many
            sizes with about the same number of pixels (see :class:`fairhuman.data.Buckets`). All images of a
            batch have the same size; in the long run, images are used as often as without buckets.
        bucket_step: Step of the side lengths in pixels; ``None`` means 64, or 32 below a resolution of 512.
        bucket_sides: Minimum and maximum side length in pixels; ``None`` means half and twice each
            resolution.
        further_resolutions: Additional resolutions, with buckets. An image uses the largest resolution that
            needs no enlargement, or the smallest resolution if all need it.
        largest_enlargement: Maximum enlargement factor of an image, ≥ 1; images that need more are refused
            before the first step. ``None`` for no limit.
        regularisation: Folder of regularisation images, or ``None``. They make up half of all training
            images, as in kohya's scripts. They contribute to the global objective, and to the objectives of
            regions for which they have masks.
        regularisation_weight: Factor λ on their errors, > 0: kohya's ``prior_loss_weight``. Under ``ls``,
            their gradients count λ times. ``mpd`` does not reduce an objective's share because its gradient
            is short, so there λ sets their contribution within each objective's gradient. If a batch has only
            such images (batch size 1, or a bucket with no others), MPD's direction scales as λ^(−1/3).
        crop: ``center`` or ``random``.
        flip: Probability of mirroring, in [0, 1]. Captions exchange left and right then.
        caption_dropout: Fraction of images with the caption replaced by the unconditional input of
            classifier-free guidance, in [0, 1).
        shuffle_tags: Shuffle a caption's comma-separated tags at each use. Such captions are encoded at every
            step.
        keep_tokens: Number of leading tags, including the trigger, that keep their place.
        trigger: Word prepended to captions that lack it, including those of held-out images but not of
            regularisation images; ``None`` for none.
        prompt_chunks: Number of text encoder windows (75 tokens for CLIP) per caption, ≥ 1: 2 corresponds to
            150 tokens in kohya's scripts. Sample with the same number.
        steps: Optimiser steps, ≥ 1.
        seconds: Stop after this much time in steps, if before ``steps``, for comparisons at equal time. This
            is the only setting that makes a run depend on the machine.
        batch_size: Images per step over all processes, ≥ 1.
        accumulation: Number of parts in which a step's images pass through the network, to save memory. The
            step is unchanged: each objective's gradients are summed before they are weighted.
        learning_rate: Peak learning rate, > 0.
        schedule: ``constant``, ``cosine`` or ``linear`` to 0 at the last step, after ``warmup``.
        warmup: Steps over which the learning rate rises from 0.
        optimizer: ``adamw``; ``adam``, as in the paper; ``adamw8bit``, with 8-bit moments (needs the package
            bitsandbytes and a GPU); ``prodigy``, which estimates the learning rate, so that ``learning_rate``
            is a factor on it and usually 1; ``schedulefree``, AdamW that averages its steps instead of
            lowering the rate (the last two need the extra ``optimizers``).
        weight_decay: AdamW's decoupled weight decay; ignored by ``adam``.
        min_snr: γ of min-SNR weighting of the timesteps, > 0, or ``None`` for the unweighted error of Eq. 1.
        noise_offset: Standard deviation of a shift of each noise channel, ≥ 0.
        clip_norm: Maximum norm of the combined direction, or ``None``.
        ema: Decay of a moving average of the weights, in (0, 1), such as 0.999: the average is evaluated,
            sampled and saved. ``None`` for none.
        seed: Seed of the initial weights, image order, flips, crops, timesteps and noise.
        precision: ``no`` is float32; ``bf16`` and ``fp16`` keep the base in half precision and trained
            weights in float32. ``fp16`` scales the losses, and unscales gradients before they are weighted.
        cache: Keep latents and text embeddings in memory instead of encoding at every step.
        cache_folder: Folder for caching these, and masks and conditions, on disk instead, also for later
            runs: at 1024² about 1.3 MB per image, or 8 MB with pose and depth. An image is re-encoded when
            it, its mask, its metadata line, the base or the crop changes.
        gradient_checkpointing: Trade time for memory in the UNet.
        batched_backward: If a strategy needs per-objective gradients, compute them in one pass: with
            ``gradient_checkpointing``, the network is recomputed once instead of once per objective. This
            needs the memory of all backward passes at once. If an operation cannot be batched, the passes run
            one after another, with a warning.
        group_by_presence: If a strategy needs per-objective gradients, group images with the same regions, so
            that images without a region are left out of its backward pass. The step is the same up to
            rounding, in more and smaller parts. No effect on strategies that use each part's losses, such as
            ``mpd_amortised``.
        gramian_every: Interval, in steps, at which the Gram matrix is logged even if the strategy does not
            need it, at the cost of a backward pass per objective; 0 logs it only when needed. With
            accumulation, loss-based weights then use the losses of the step, not of each part.
        checkpoint_every: Steps between checkpoints, in addition to those by time; 0 disables them.
        checkpoint_minutes: Minutes between checkpoints, the most work that a kill can lose; 0 disables them.
            SIGTERM, SIGINT and SIGUSR1 always write one.
        keep_checkpoints: Number of recent checkpoints to keep, ≥ 1; if one is damaged, the previous one is
            used.
        heldout: Folder of a held-out set for measuring regional losses, or ``None``.
        heldout_every: Steps between these measurements, which are also made before the first and after the
            last step.
        heldout_images: Number of its images to use, from the start.
        heldout_draws: Noise draws per image, at evenly spread timesteps.
        sample_every: Steps between validation samples of the first held-out captions (and conditions),
            written to ``samples/`` in the run's folder; 0 disables them.
        sample_count: Number of images each time.
        tracker: ``tensorboard`` or ``wandb`` to also log losses and weights there, or ``None``.
        skip_limit: Number of consecutive non-finite steps after which training stops.
        released: Deviations of the authors' released code from their paper to reproduce; see
            :data:`fairhuman.training.RELEASED`. Default: none.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.

    Example:
        >>> TrainSettings(data="people", output="runs/quick/mpd", steps=100).scaling
        1.0
        >>> TrainSettings.from_mapping({"data": "people", "output": "runs/quick/mpd", "step": 100})
        Traceback (most recent call last):
        ...
        ValueError: settings: unknown name 'step'; did you mean 'steps'? ...
    """

    data: Folder
    output: Folder
    base: Place | None = None
    regions: Names = ("face", "hand")
    preservation: bool = False
    strategy: str = "mpd"
    mask_mode: MaskMode = "soft"
    reduction: Reduction = "image"
    local_scale: Positive = 1.0
    adapter: str = "lora"
    rank: Count = 16
    alpha: Positive | None = None
    rslora: bool = False
    dora: bool = False
    targets: Names | None = None
    experts: Names | None = None
    gates_only: bool = False
    text_encoders: bool = False
    conditions: Names | None = None
    condition_dropout: _Dropout | None = None
    start: Place | None = None
    resolution: Side = 256
    buckets: bool = False
    bucket_step: Side | None = None
    bucket_sides: Wholes | None = None
    further_resolutions: Wholes = ()
    largest_enlargement: _Factor | None = None
    regularisation: Place | None = None
    regularisation_weight: Positive = 1.0
    crop: Literal["center", "random"] = "center"
    flip: Number = 0.0
    caption_dropout: _Dropout = 0.0
    shuffle_tags: bool = False
    keep_tokens: Whole = 0
    trigger: str | None = None
    prompt_chunks: Count = 1
    steps: Count = 1000
    seconds: Positive | None = None
    batch_size: Count = 4
    accumulation: Count = 1
    learning_rate: Positive = 1e-4
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: Whole = 0
    optimizer: Literal["adamw", "adam", "adamw8bit", "prodigy", "schedulefree"] = "adamw"
    weight_decay: Unsigned = 1e-2
    min_snr: Positive | None = None
    noise_offset: Unsigned = 0.0
    clip_norm: Positive | None = None
    ema: _Decay | None = None
    seed: Whole = 0
    precision: Annotated[Literal["no", "bf16", "fp16"], BARE_NO] = "no"
    cache: bool = True
    cache_folder: Place | None = None
    gradient_checkpointing: bool = False
    batched_backward: bool = False
    group_by_presence: bool = False
    gramian_every: Whole = 0
    checkpoint_every: Whole = 0
    checkpoint_minutes: Unsigned = 10.0
    keep_checkpoints: Count = 2
    heldout: Place | None = None
    heldout_every: Count = 100
    heldout_images: Count = 64
    heldout_draws: Count = 4
    sample_every: Whole = 0
    sample_count: Count = 4
    tracker: Literal["tensorboard", "wandb"] | None = None
    skip_limit: Count = 10
    released: Names = ()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Replace ``None`` by the adapter-specific default."""
        kind = values.get("adapter", cls.model_fields["adapter"].default)
        options = ADAPTERS[kind].options() if isinstance(kind, str) and kind in ADAPTERS else {}
        if "conditions" in options:
            options["condition_dropout"] = _CONDITION_DROPOUT
        usual = {name: options.get(name, idle) for name, idle in _IDLE.items()}
        return values | {name: value for name, value in usual.items() if values.get(name) is None}

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_regions(self.regions)
        self._check_strategy()
        self._check_adapter()
        self._check_schedule()
        self._check_optimizer()
        self._check_captions()
        self._check_sizes()
        _ = self.transform
        if self.regularisation is None:
            weight = self.regularisation_weight
            require("regularisation_weight", weight == 1, "needs regularisation images", weight)
        if self.cache and self.crop == "random":
            raise ValueError("cache: latents can't be kept with crop 'random'; set cache to false")
        if self.cache_folder is not None and not self.cache:
            raise ValueError("cache_folder: has no effect with cache false; leave one of them out")
        if self.sample_every and self.heldout is None:
            raise ValueError("sample_every: validation samples need captions; set heldout")
        check_released(
            self.released,
            regions=self.regions,
            accumulation=self.accumulation,
            local_scale=self.local_scale,
            draws=self.flip > 0 or self.crop == "random",
        )
        if self.group_by_presence:
            fits = "overwriting_accumulation" not in self.released
            require("group_by_presence", fits, "changes which part overwriting_accumulation leaves", True)
        return self

    def _check_strategy(self) -> None:
        if self.strategy in STRATEGIES:
            return
        constants = getattr(get_strategy(self.strategy), "constants", None)
        count = 1 + len(self.regions) + self.preservation
        fits = constants is None or len(constants) == count
        last = ", and for preservation" if self.preservation else ""
        rule = f"needs {count} numbers: for the global loss and for each of regions{last}"
        require("strategy", fits, rule, self.strategy)

    def _check_adapter(self) -> None:
        """Refuse options of other adapter kinds, which would have no effect."""
        kind = self.adapter
        if kind not in ADAPTERS:
            raise ValueError(f"adapter: {unknown(kind, ADAPTERS)}")
        for name, field in type(self).model_fields.items():
            kinds = kinds_with(_GOES_WITH.get(name, name))
            if kinds and kind not in kinds:
                rule = f"is for the adapter {' or '.join(kinds)}, not for {kind}"
                value = getattr(self, name)
                require(name, value == _IDLE.get(name, field.default), rule, value)
        ADAPTERS[kind].check_options(self.adapter_options)
        if self.preservation:
            kinds = [name for name in ADAPTERS if name not in kinds_with("conditions")]
            require(
                "preservation",
                kind in kinds,
                f"is for the adapter {' or '.join(kinds)}, not for {kind}",
                True,
            )
            require("preservation", bool(self.regions), "needs regions, outside which to preserve", True)

    def _check_sizes(self) -> None:
        if not self.buckets:
            for name in ("bucket_step", "bucket_sides", "further_resolutions"):
                value = getattr(self, name)
                require(name, value == type(self).model_fields[name].default, "needs buckets true", value)
            return
        resolutions, sides, step = (self.resolution, *self.further_resolutions), self.bucket_sides, self._step
        rule = f"must be a multiple of bucket_step = {step}"
        require("resolution", self.resolution % step == 0, rule, self.resolution)
        fits = all(side > 0 and side % step == 0 for side in resolutions)
        fits = fits and len(set(resolutions)) == len(resolutions)
        rule = f"must be other multiples of bucket_step = {step}"
        require("further_resolutions", fits, rule, list(self.further_resolutions))
        if sides is not None:
            fits = len(sides) == 2 and 0 < sides[0] <= min(resolutions) and max(resolutions) <= sides[1]
            rule = "must be the least and the largest side, with every resolution between them"
            require("bucket_sides", fits, rule, list(sides))

    @property
    def _step(self) -> int:
        return self.bucket_step or (64 if self.resolution >= 512 else 32)

    def _check_schedule(self) -> None:
        size, parts = self.batch_size, self.accumulation
        require("accumulation", size % parts == 0, f"must divide batch_size = {size}", parts)
        require("warmup", self.warmup < self.steps, f"must be below steps = {self.steps}", self.warmup)
        if self.seconds is not None and self.schedule != "constant":
            raise ValueError(
                f"schedule: {self.schedule!r} ends at the last step, which is unknown where seconds is "
                "given; use 'constant'"
            )

    def _check_optimizer(self) -> None:
        if self.optimizer == "prodigy":
            rule = "is a factor on prodigy's own estimate, usually 1; must be ≥ 0.01"
            require("learning_rate", self.learning_rate >= 0.01, rule, self.learning_rate)
        if self.optimizer == "schedulefree":
            rule = "must be 'constant' for schedulefree, which averages instead"
            require("schedule", self.schedule == "constant", rule, self.schedule)
            require("ema", self.ema is None, "is for optimisers that do not average by themselves", self.ema)

    def _check_captions(self) -> None:
        word = self.trigger
        require("trigger", word is None or bool(word.strip()), "must not be empty", word)
        shuffled = self.shuffle_tags or not self.keep_tokens
        require("keep_tokens", shuffled, "is of no effect without shuffle_tags", self.keep_tokens)

    @property
    def captions(self) -> Captions:
        """Caption changes."""
        return Captions(self.trigger, self.shuffle_tags, self.keep_tokens, self.caption_dropout)

    @property
    def scaling(self) -> float:
        """The LoRA's output scale: alpha / rank, or alpha / √rank with ``rslora``."""
        alpha = self.rank if self.alpha is None else self.alpha
        return alpha / (self.rank**0.5 if self.rslora else self.rank)

    @property
    def adapter_options(self) -> dict[str, Any]:
        """The options of the adapter."""
        return {name: getattr(self, name) for name in ADAPTERS[self.adapter].options()}

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for a model card, without local paths."""
        facts = {name: value for name, value in self.model_dump().items() if name not in _PLACES}
        local = self.base is not None and Path(self.base).exists()
        return facts | ({"base": Path(self.base).name} if local else {})

    @property
    def transform(self) -> JointTransform:
        """Resize, flip and crop of the training images."""
        buckets = None
        if self.buckets:
            sides = None if self.bucket_sides is None else (self.bucket_sides[0], self.bucket_sides[1])
            buckets = Buckets((self.resolution, *self.further_resolutions), self._step, sides)
        return JointTransform(self.resolution, self.crop, self.flip, buckets)
