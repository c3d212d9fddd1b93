"""ControlNet: a copy of the UNet's encoder with an image input (Zhang et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from fairhuman.models._batch import Batch
from fairhuman.models.adapters._beside import NETWORK_FILE, BesideUNet

if TYPE_CHECKING:
    from diffusers import ControlNetModel, DiffusionPipeline, StableDiffusionXLPipeline

__all__ = ["ControlNet", "check_encoder"]

_ENCODER = (
    "in_channels",
    "down_block_types",
    "block_out_channels",
    "layers_per_block",
    "transformer_layers_per_block",
    "cross_attention_dim",
    "projection_class_embeddings_input_dim",
)


class ControlNet(BesideUNet):
    """Initially equal to the base: its outputs and the image embedding pass through zero-initialised
    convolutions. The pose is drawn over the depth map (see :func:`fairhuman.data.condition_image`)."""

    kind = "controlnet"
    title = "ControlNet"
    summary = "a ControlNet conditioned on the pose drawn over the depth map"
    weights = f"{kind}/{NETWORK_FILE}"
    usage = """\
from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline

controlnet = ControlNetModel.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLControlNetPipeline.from_pretrained(BASE, controlnet=controlnet)
image = pipe("a person waving", image=condition, controlnet_conditioning_scale=0.5).images[0]"""
    network_class = "ControlNetModel"
    network: ControlNetModel

    @classmethod
    def build(cls, pipeline: StableDiffusionXLPipeline) -> ControlNetModel:
        return cls.model().from_unet(pipeline.unet)

    def check(self) -> None:
        check_encoder(self)

    def predict(self, batch: Batch) -> Tensor:
        down, middle = self.network(
            batch.noisy.to(self.network.dtype),
            batch.timesteps,
            encoder_hidden_states=batch.tokens.to(self.network.dtype),
            controlnet_cond=self.picture(batch.conditions),
            conditioning_scale=self.scale,
            added_cond_kwargs={"text_embeds": batch.pooled, "time_ids": batch.time_ids},
            return_dict=False,
        )
        return batch.predict(
            self.unet,
            down_block_additional_residuals=[tensor.to(self.unet.dtype) for tensor in down],
            mid_block_additional_residual=middle.to(self.unet.dtype),
        )

    def sampler(self) -> DiffusionPipeline:
        from diffusers import StableDiffusionXLControlNetPipeline

        return StableDiffusionXLControlNetPipeline(
            **self.parts(), controlnet=self.network, add_watermarker=False
        )

    def arguments(self, conditions: Mapping[str, Tensor]) -> dict[str, Any]:
        return {"image": self.picture(conditions), "controlnet_conditioning_scale": self.scale}


def check_encoder(adapter: BesideUNet) -> None:
    """Check that the network is a copy of this UNet's encoder."""
    encoder, base = adapter.network.config, adapter.unet.config
    for name in _ENCODER:
        there, here = encoder.get(name), base.get(name)
        if _plain(there) != _plain(here):
            raise ValueError(
                f"{adapter.kind}: was trained for another base: {name} is {there} there, {here} here"
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value
