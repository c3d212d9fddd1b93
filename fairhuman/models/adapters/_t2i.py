"""T2I-Adapter: a small network that maps an image to additions inside the UNet (Mou et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from fairhuman.models._batch import Batch
from fairhuman.models.adapters._beside import NETWORK_FILE, BesideUNet

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, StableDiffusionXLPipeline, T2IAdapter

__all__ = ["T2I"]

_DOWNSCALE = 16


class T2I(BesideUNet):
    """Its input is only the condition image, once per sample, without noised latent or time. Unlike a
    ControlNet, it is not initially equal to the base, because its last layers are not zero. The additions
    follow the architecture ``full_adapter_xl``: half the latent's size at the first two levels, a quarter
    beyond."""

    kind = "t2i-adapter"
    title = "T2I-Adapter"
    summary = "a T2I-Adapter conditioned on the pose drawn over the depth map"
    weights = f"{kind}/{NETWORK_FILE}"
    usage = """\
from diffusers import StableDiffusionXLAdapterPipeline, T2IAdapter

adapter = T2IAdapter.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLAdapterPipeline.from_pretrained(BASE, adapter=adapter)
image = pipe("a person waving", image=condition, adapter_conditioning_scale=0.8).images[0]"""
    network_class = "T2IAdapter"
    network: T2IAdapter

    @classmethod
    def build(cls, pipeline: StableDiffusionXLPipeline) -> T2IAdapter:
        return cls.model()(
            in_channels=3,
            channels=_channels(pipeline.unet.config.block_out_channels),
            num_res_blocks=2,
            downscale_factor=_DOWNSCALE,
            adapter_type="full_adapter_xl",
        )

    def check(self) -> None:
        there, here = list(self.network.config.channels), _channels(self.unet.config.block_out_channels)
        if there != here:
            raise ValueError(
                f"{self.kind}: was trained for another base: channels is {there} there, {here} here"
            )

    def predict(self, batch: Batch) -> Tensor:
        features = self.network(self.picture(batch.conditions))
        added = [(self.scale * feature).to(self.unet.dtype) for feature in features]
        return batch.predict(self.unet, down_intrablock_additional_residuals=added)

    def sampler(self) -> DiffusionPipeline:
        from diffusers import StableDiffusionXLAdapterPipeline

        return StableDiffusionXLAdapterPipeline(**self.parts(), adapter=self.network)

    def arguments(self, conditions: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"image": self.picture(conditions), "adapter_conditioning_scale": self.scale}

    def checkpoint_gradients(self) -> None:
        # The network is small and has no such switch, but the UNet it is trained through has.
        self.unet.enable_gradient_checkpointing()
        self.unet.train()
        self.network.train()


def _channels(levels: tuple[int, ...]) -> list[int]:
    """Channels of the four additions: one per level, and the last again for the middle block."""
    return [*levels, *[levels[-1]] * (4 - len(levels))]
