"""Batches for the UNet: encoded, noised, with the regions' masks on the latent grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fairhuman.data import (
    Draw,
    HumanFolder,
    JointTransform,
    TrainingSample,
    condition_pixels,
)
from fairhuman.models import Batch
from fairhuman.regions import MaskMode, latent_mask
from fairhuman.seeds import mask_generators
from fairhuman.text import mirrored
from fairhuman.training._captions import Captions
from fairhuman.training._encoding import (
    Encodings,
    LatentDistribution,
    TextEmbedding,
    encode_image,
    encode_prompt,
)
from fairhuman.training._kept import KeptEncodings
from fairhuman.training._noising import add_noise, noise_scheduler, offset_noise, training_target

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.training._noising import NoiseScheduler

__all__ = ["Example", "Examples", "collate"]


@dataclass(frozen=True)
class Encoded:
    """One encoded image; all tensors on the CPU. Condition images are stored in 8 bits, shape (3, H, W), to
    save cache memory. ``caption`` is ``None`` if dropped."""

    latent: LatentDistribution
    masks: Mapping[str, Tensor]
    text: TextEmbedding
    time_ids: Tensor
    caption: str | None
    conditions: Mapping[str, Tensor]


@dataclass(frozen=True)
class _Drawn:
    """The transform of an image, and of each mask that has its own."""

    index: int
    draw: Draw
    mask_draws: Mapping[str, Draw]

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.index, self.draw, *self.mask_draws.values())


@dataclass(frozen=True)
class Example:
    """An encoded image at one timestep, with its noise; ``dropped`` means that its conditions are black,
    ``weight`` is a factor on its errors."""

    encoded: Encoded
    latents: Tensor
    noise: Tensor
    timestep: int
    dropped: bool = False
    weight: float = 1.0


class Examples:
    """A data set encoded by a pipeline.

    Args:
        pipeline: Provides the autoencoder, the text encoders and the noise schedule.
        data: Data set; images are transformed and encoded on first use.
        transform: Resize, flip and crop, to one size or to buckets of several.
        mask_mode: How masks are resampled to the latent grid.
        cache: Keep encoded images in memory (with a random crop, each image has many versions).
        encodings: Shared cache of latents and text embeddings for several data sets or runs with the same
            base and precision. Default: a private one.
        kept: Cache on disk, instead of in memory.
        independent_masks: Transform each mask independently of the image, as the authors' LoRA script does,
            so that it may not match the image.
        captions: Caption changes. Default: none.
        chunks: Chunks of a caption's encoding, see :func:`fairhuman.models.encode_texts`.
        regions: Regions of the batches. Default: the data set's; other regions are empty in its images.
        weight: Factor on the images' errors.
    """

    def __init__(
        self,
        pipeline: StableDiffusionXLPipeline,
        data: HumanFolder,
        transform: JointTransform,
        *,
        mask_mode: MaskMode = "soft",
        cache: bool = True,
        independent_masks: bool = False,
        encodings: Encodings | None = None,
        kept: KeptEncodings | None = None,
        captions: Captions | None = None,
        chunks: int = 1,
        regions: Sequence[str] | None = None,
        weight: float = 1.0,
    ) -> None:
        self.pipeline = pipeline
        self.regions = data.regions if regions is None else tuple(regions)
        self.weight = weight
        self.data = data
        self.transform = transform
        self.mask_mode = mask_mode
        self.independent_masks = independent_masks
        self.captions, self.chunks = captions or Captions(), chunks
        self.scheduler = noise_scheduler(pipeline)
        self._images: dict[tuple[Any, ...], Encoded] = {}
        self._encodings = (encodings or Encodings()) if cache and kept is None else None
        self._kept = kept

    def __len__(self) -> int:
        return len(self.data)

    def draw(
        self,
        index: int,
        generator: torch.Generator,
        timesteps: tuple[int, int] | None = None,
        dropout: float = 0.0,
        noise_offset: float = 0.0,
        caption: torch.Generator | None = None,
    ) -> Example:
        """One image at a random timestep with random noise.

        Args:
            index: Index of the image.
            generator: CPU generator for flip, crop, latent, timestep, noise, dropout and offset, in this
                order.
            timesteps: Range (from, below) of the timestep. Default: the whole schedule.
            dropout: Probability that the condition images are replaced by black.
            noise_offset: Standard deviation of a shift of each noise channel.
            caption: CPU generator for caption changes. Default: unchanged caption.
        """
        encoded = self._captioned(self._encoded(index, generator), caption)
        shape = encoded.latent.mean.shape
        latents = encoded.latent.sample(torch.randn(shape, generator=generator))
        low, high = timesteps or (0, self.scheduler.config.num_train_timesteps)
        timestep = int(torch.randint(low, high, (), generator=generator))
        noise = torch.randn(shape, generator=generator)
        dropped = dropout > 0 and torch.rand((), generator=generator).item() < dropout
        if noise_offset > 0:
            noise = offset_noise(noise, noise_offset, generator)
        return Example(encoded, latents, noise, timestep, dropped, self.weight)

    def _captioned(self, encoded: Encoded, generator: torch.Generator | None) -> Encoded:
        text = encoded.caption
        if generator is None or text is None or (drawn := self.captions.drawn(text, generator)) == text:
            return encoded
        # Shuffled captions would fill the memory and hardly ever recur.
        new = self._text(None) if drawn is None else encode_prompt(self.pipeline, drawn, self.chunks)
        return dataclasses.replace(encoded, text=new, caption=drawn)

    def _encoded(self, index: int, generator: torch.Generator) -> Encoded:
        drawn = self._draw(index, generator)
        if drawn.key in self._images:
            return self._images[drawn.key]
        form, key = "-mirrored" if drawn.draw.flip else "", self.data.key(index) + repr(drawn.key).encode()
        if self._kept and (tensors := self._kept.get(index, form, key)):
            text = self.data.records[index].text
            return _of_tensors(tensors, self.captions.fixed(mirrored(text) if drawn.draw.flip else text))
        sample = self._transformed(drawn)
        text = self._text(self.captions.fixed(sample.text))
        encoded = self._assembled(sample, self._latent(drawn, sample), text)
        if self._kept:
            self._kept.put(index, form, key, _as_tensors(encoded))
        if self._encodings is not None:
            self._images[drawn.key] = encoded
        return encoded

    def _draw(self, index: int, generator: torch.Generator) -> _Drawn:
        height, width = self.data.sizes[index].tolist()
        draw = self.transform.draw((height, width), generator)
        return _Drawn(index, draw, self._mask_draws((height, width), generator))

    def _transformed(self, drawn: _Drawn) -> TrainingSample:
        sample = self.data[drawn.index]
        transformed = self.transform.apply(sample, drawn.draw)
        strayed = {
            name: self.transform.apply(sample, draw).masks[name] for name, draw in drawn.mask_draws.items()
        }
        return dataclasses.replace(transformed, masks={**transformed.masks, **strayed})

    def _latent(self, drawn: _Drawn, sample: TrainingSample) -> LatentDistribution:
        if self._encodings is None:
            return encode_image(self.pipeline.vae, sample.pixels)
        kept = self._encodings.latents
        key = (self.data.records[drawn.index].image, tuple(sample.pixels.shape), drawn.draw)
        if key not in kept:
            kept[key] = encode_image(self.pipeline.vae, sample.pixels)
        return kept[key]

    def _text(self, text: str | None) -> TextEmbedding:
        if self._encodings is None:
            return encode_prompt(self.pipeline, text, self.chunks)
        kept, key = self._encodings.texts, (text, self.chunks)
        if key not in kept:
            kept[key] = encode_prompt(self.pipeline, text, self.chunks)
        return kept[key]

    def _assembled(self, sample: TrainingSample, latent: LatentDistribution, text: TextEmbedding) -> Encoded:
        height, width = latent.mean.shape[-2:]
        nothing = torch.zeros_like(sample.pixels[:1])
        masks = {name: sample.masks.get(name, nothing)[None] for name in self.regions}
        return Encoded(
            latent=latent,
            masks={
                name: latent_mask(mask, (height, width), self.mask_mode)[0] for name, mask in masks.items()
            },
            text=text,
            time_ids=sample.time_ids,
            caption=self.captions.fixed(sample.text),
            conditions={name: condition_pixels(name, getattr(sample, name)) for name in self.data.conditions},
        )

    def _mask_draws(self, size: tuple[int, int], generator: torch.Generator) -> dict[str, Draw]:
        if not self.independent_masks:
            return {}
        regions = self.data.regions
        streams = mask_generators(generator, len(regions))
        return {name: self.transform.draw(size, one) for name, one in zip(regions, streams, strict=True)}


def _as_tensors(encoded: Encoded) -> dict[str, Tensor]:
    tensors = {
        "mean": encoded.latent.mean,
        "deviation": encoded.latent.deviation,
        "tokens": encoded.text.tokens,
        "pooled": encoded.text.pooled,
        "time_ids": encoded.time_ids,
    }
    tensors |= {f"mask.{name}": mask for name, mask in encoded.masks.items()}
    return tensors | {f"condition.{name}": image for name, image in encoded.conditions.items()}


def _of_tensors(tensors: Mapping[str, Tensor], caption: str) -> Encoded:
    def named(kind: str) -> dict[str, Tensor]:
        return {name.removeprefix(kind): tensor for name, tensor in tensors.items() if name.startswith(kind)}

    return Encoded(
        LatentDistribution(tensors["mean"], tensors["deviation"]),
        named("mask."),
        TextEmbedding(tensors["tokens"], tensors["pooled"]),
        tensors["time_ids"],
        caption,
        named("condition."),
    )


def collate(
    examples: Sequence[Example],
    scheduler: NoiseScheduler,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Noise the examples and stack them on ``device``. Noising is done in float32; the UNet's inputs are then
    converted to ``dtype``, and the target stays in float32."""

    def stack(tensors: Iterable[Tensor]) -> Tensor:
        return torch.stack(list(tensors)).to(device)

    latents, noise = stack(e.latents for e in examples), stack(e.noise for e in examples)
    timesteps = torch.tensor([e.timestep for e in examples], device=device)
    noisy, times = add_noise(scheduler, latents, noise, timesteps)
    encoded = [e.encoded for e in examples]
    return Batch(
        noisy=noisy.to(dtype),
        target=training_target(scheduler, latents, noise, timesteps),
        masks={name: stack(e.masks[name] for e in encoded) for name in encoded[0].masks},
        timesteps=times,
        tokens=stack(e.text.tokens for e in encoded).to(dtype),
        pooled=stack(e.text.pooled for e in encoded).to(dtype),
        time_ids=stack(e.time_ids for e in encoded),  # sizes in bfloat16 would be rounded
        conditions={
            name: stack(e.encoded.conditions[name] * (not e.dropped) / 255 for e in examples)
            for name in encoded[0].conditions
        },
        texts=tuple(e.caption for e in encoded),
    )
