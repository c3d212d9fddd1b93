"""What a training run is: one set of validated settings, from Python, a mapping or a YAML file."""

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
"""A setting of the training → the option of an adapter without which it has no effect."""
_IDLE: Mapping[str, Any] = MappingProxyType({"targets": (), "conditions": (), "condition_dropout": 0.0})
"""Settings whose default is the adapter's → what stands there for adapters that have no use for them."""


class TrainSettings(Settings):
    """One run of :func:`fairhuman.training.train`. Every value is checked on construction.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be empty, absent, or hold this very run, which is then resumed.
        base: Folder of a Stable Diffusion XL pipeline or a repository's name; ``None`` is the embedded one.
        regions: Regions with a separate objective, in addition to the global one; may be empty.
        preservation: Add the objective ``preservation``, weighed as the others, after them in order: outside
            all regions the prediction shall be the frozen base's (see
            :func:`fairhuman.objectives.preservation_loss`). Costs a forward pass of the base. Needs regions,
            and an adapter that reads no pictures: what a ControlNet is asked for lies outside, too.
            ``mpd`` weighs small gradients up, and this one's is smallest at the start; ``ls:<w>,…`` holds
            its weight fixed.
        unmasked_weight: Weight of what lies outside all regions in the loss of the whole image, ≥ 0, as in
            OneTrainer's masked training; a cell of the latent grid that a region reaches in part counts in
            full. An image without a region lies outside throughout. Under ``ls`` the gradient of the outside
            counts so many times. ``mpd`` gives the global objective no less of the update because its
            gradient is shorter: there the weight turns that gradient towards the regions. At 0 nothing is
            trained outside them, and nothing kept (see ``preservation``). Held-out errors are those of Eq. 2
            in any case.
        strategy: How the objectives share the update (see :func:`fairhuman.fairness.get_strategy`). To prefer
            one, ``ls:<w₁>,<w₂>,…`` has a factor on each loss, ``mpd:<p₁>,<p₂>,…`` a priority: how much the
            delay of each counts. In both the order is the whole image, the regions, preservation.
        mask_mode: How masks reach the latent grid (see :func:`fairhuman.regions.latent_mask`).
        reduction: Scale of the losses (see :func:`fairhuman.objectives.regional_losses`).
        local_scale: Factor on the regional losses, > 0.
        adapter: What is trained, a kind of :data:`fairhuman.models.adapters.ADAPTERS`.
        rank: Rank of the LoRA, or of each expert of MoLE, ≥ 1.
        alpha: The LoRA's output is scaled by alpha / rank; ``None`` means alpha = rank.
        rslora: Scale it by alpha / √rank instead.
        dora: Train a DoRA: the magnitude of each output apart from its direction.
        targets: Endings of the names of the UNet's layers that get a LoRA; ``None`` is attention for a LoRA,
            every linear layer of the transformers for MoLE.
        experts: Two LoRAs (runs' folders), for faces and for hands, that MoLE's third stage puts together;
            they bring their rank and alpha. ``None`` starts both experts from nothing.
        gates_only: Leave MoLE's experts as they are and train its gates alone.
        text_encoders: Train a LoRA on both text encoders too. Captions are then encoded at every step.
        conditions: Condition images that the adapter reads, ``pose`` and ``depth``; ``None`` is both for
            adapters that read any.
        condition_dropout: Probability, for each image independently, that its conditions are replaced by
            black, in [0, 1); ``None`` is the paper's 0.3 for adapters that read conditions.
        start: A trained adapter of the same kind to continue from (a run's folder, or a checkpoint in one),
            or ``None``. A MoLE brings its layers, ranks and alphas.
        resolution: Side of the training images in pixels; a multiple of 8.
        buckets: Bring each image not to the square but to the one of many sizes, of about as many pixels,
            that has the nearest proportions (see :class:`fairhuman.data.Buckets`). A batch is of one size; in
            the long run every image comes as often as without.
        bucket_step: Of the sides, in pixels; ``None`` is 64, and 32 below a resolution of 512.
        bucket_sides: Least and largest side in pixels; ``None`` is half and twice each resolution.
        further_resolutions: With buckets. An image goes to the largest resolution that it fills without being
            enlarged; one that fills none goes to the smallest.
        largest_enlargement: Most times by which an image may be enlarged, ≥ 1; one that needs more is refused
            before the first step. ``None`` for no bound.
        regularisation: Folder of regularisation images, or ``None``: half of all images that a run sees are
            of them, as with kohya's scripts. They take part in the global objective, and in those of regions
            whose masks their lines name.
        regularisation_weight: Factor λ on their errors, > 0: kohya's ``prior_loss_weight``. Under ``ls``
            their gradients count λ times. ``mpd`` gives an objective no less of the update because its
            gradient is short: there λ is their say within each objective's gradient. Where a batch has
            nothing but them (batch size 1, or a bucket of theirs), MPD's direction goes as λ^(−1/3).
        crop: ``center`` or ``random``.
        flip: Probability of mirroring, in [0, 1]. Captions that name left or right do not follow.
        caption_dropout: Share of the images whose caption is replaced by what classifier-free guidance starts
            from, in [0, 1).
        shuffle_tags: Put what stands between commas of a caption in another order each time it comes. Such
            captions are encoded at every step.
        keep_tokens: How many tags at the start, the trigger included, stay where they are then.
        trigger: Word put before each caption that lacks it, of held-out images too, not of regularisation
            images; ``None`` for none.
        prompt_chunks: In how many parts of the text encoders' length, 75 tokens for CLIP, captions are
            encoded, ≥ 1: 2 is what kohya's scripts call 150 tokens. Sample with the same number.
        steps: Optimiser steps, ≥ 1.
        seconds: Stop after so much time in steps, if that is before ``steps``; the one setting with which a
            run depends on the machine. For comparisons at equal time.
        batch_size: Images a step, ≥ 1, on all processes together.
        accumulation: In how many parts a step's images pass through the network, to save memory. The step
            is that of the whole: gradients of each objective are summed before they are weighed.
        learning_rate: The highest, > 0.
        text_encoder_learning_rate: That of the text encoders' LoRA, > 0, under the same schedule; ``None`` is
            ``learning_rate``. Needs ``text_encoders``. The objectives are weighed by the gradients of all
            that is trained, whatever its rate.
        schedule: ``constant``, ``cosine`` or ``linear`` to 0 at the last step, after ``warmup``.
        warmup: Steps over which the learning rate rises from 0.
        optimizer: ``adamw``; ``adam`` as the paper says; ``adamw8bit`` with its moments in 8 bits (needs
            the package bitsandbytes and a GPU); ``prodigy``, which estimates the learning rate, so that
            ``learning_rate`` is a factor on it and usually 1; ``schedulefree``, AdamW that averages its
            steps instead of lowering the rate (the last two are in the extra ``optimizers``).
        weight_decay: AdamW's decoupled decay; ``adam`` ignores it.
        min_snr: γ of min-SNR weighting of the timesteps, > 0, or ``None`` for the plain error of Eq. 1.
        noise_offset: Deviation of a shift of each channel of the noise, ≥ 0.
        clip_norm: Largest norm of the combined direction, or ``None``.
        ema: Decay of a moving average of the weights, in (0, 1), such as 0.999: the average is measured,
            sampled and saved. ``None`` for none.
        seed: Decides the LoRA's start, the order of images, flips, crops, timesteps and noise.
        precision: ``no`` is float32; ``bf16`` and ``fp16`` keep the base in half precision, what is trained
            in float32. ``fp16`` scales the losses, and unscales gradients before they are weighed.
        cache: Keep latents and text embeddings in memory instead of encoding at every step.
        cache_folder: Where these, and masks and conditions as the network sees them, are kept on disk
            instead, for later runs too: at 1024² about 1.3 MB an image, 8 MB with pose and depth. An image
            is encoded again when it, its mask, its line, the base or the crop has changed.
        gradient_checkpointing: Trade time for memory in the UNet.
        batched_backward: Differentiate all objectives in one pass where a strategy needs the gradient of
            each: with ``gradient_checkpointing`` the network is recomputed once instead of once per
            objective. Takes the memory of as many backward passes at once. Where an operation cannot be
            batched, the passes follow one another, and a warning says why.
        group_by_presence: Let images with the same regions pass through the network together, where a
            strategy needs the gradient of each objective: images without a region take no part in its
            backward pass. The step is the same to rounding, in more and smaller parts. Without effect on
            strategies that look at each part's losses, such as ``mpd_amortised``.
        gramian_every: Steps between which the Gram matrix is logged also for strategies that do without
            it, at the cost of a backward pass for each objective; 0 logs it only where it is needed. With
            accumulation, what weighs by the losses' values then takes those of the step, not of each part.
        checkpoint_every: Steps between checkpoints, beside those by time; 0 writes none.
        checkpoint_minutes: Most minutes of work that a kill may lose: a checkpoint is written so often; 0
            writes none by time. SIGTERM, SIGINT and SIGUSR1 write one in any case.
        keep_checkpoints: How many of the latest are kept, ≥ 1; a damaged one is passed over for the one
            before.
        heldout: Folder of a held-out set whose regional losses are measured, or ``None``.
        heldout_every: Steps between such measurements (also made before the first step and after the last).
        heldout_images: How many of its images, the first ones, are used.
        heldout_draws: Noise draws an image, at evenly spread timesteps.
        sample_every: Steps between validation samples of the first held-out captions (and conditions),
            written to ``samples/`` in the run's folder; 0 makes none.
        sample_count: How many images each time.
        tracker: ``tensorboard`` or ``wandb`` to send losses and weights there as well, or ``None``.
        skip_limit: Non-finite steps in a row after which training stops.
        released: Names of deviations of the authors' released code from their paper that this run repeats,
            to measure what they do; see :data:`fairhuman.training.RELEASED`. None by default.

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
    unmasked_weight: Unsigned = 1.0
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
    text_encoder_learning_rate: Positive | None = None
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
        """Values in place of the ``None`` that depends on the adapter."""
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
        needed = self.unmasked_weight == 1 or bool(self.regions)
        require("unmasked_weight", needed, "needs regions, outside which it counts", self.unmasked_weight)
        if self.regularisation is None:
            weight = self.regularisation_weight
            require("regularisation_weight", weight == 1, "needs regularisation images", weight)
        if self.cache and self.crop == "random":
            raise ValueError("cache: latents can't be kept with crop 'random'; set cache to false")
        if self.cache_folder is not None and not self.cache:
            raise ValueError("cache_folder: nothing is kept with cache false; leave one of them out")
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
        """Options of another kind of adapter would be silently without effect: they are refused."""
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
        own = self.text_encoder_learning_rate
        require("text_encoder_learning_rate", own is None or self.text_encoders, "needs text_encoders", own)
        if self.optimizer == "prodigy":
            require("text_encoder_learning_rate", own is None, "must be null: prodigy has one for all", own)
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
        """What becomes of captions."""
        return Captions(self.trigger, self.shuffle_tags, self.keep_tokens, self.caption_dropout)

    @property
    def scaling(self) -> float:
        """The factor on the LoRA's output: alpha / rank, or with ``rslora`` alpha / √rank."""
        alpha = self.rank if self.alpha is None else self.alpha
        return alpha / (self.rank**0.5 if self.rslora else self.rank)

    @property
    def adapter_options(self) -> dict[str, Any]:
        """The options of the adapter."""
        return {name: getattr(self, name) for name in ADAPTERS[self.adapter].options()}

    @property
    def facts(self) -> dict[str, Any]:
        """What a model card says of a run; paths of this machine are no part of it."""
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
