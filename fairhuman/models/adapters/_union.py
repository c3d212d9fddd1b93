"""ControlNet-Union: one control network for several kinds of condition image, each with a mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fairhuman.models._batch import Batch
from fairhuman.models.adapters._beside import NETWORK_FILE, BesideUNet
from fairhuman.models.adapters._controlnet import check_encoder

if TYPE_CHECKING:
    from diffusers import ControlNetUnionModel, DiffusionPipeline, StableDiffusionXLPipeline

__all__ = ["ControlNetUnion"]

_MODES = {"pose": 0, "depth": 1}
"""Mode indices among the published network's six kinds of condition image."""
_PICTURE_CHANNELS, _HEADS = 320, 8
"""Width and heads of the transformer that joins condition images, for SDXL's first level of 320 channels."""


class ControlNetUnion(BesideUNet):
    """Pose and depth as separate images, joined by a small transformer. Initially equal to the base."""

    kind = "controlnet-union"
    title = "ControlNet-Union"
    summary = "a ControlNet-Union conditioned on pose and depth as separate images"
    weights = f"{kind}/{NETWORK_FILE}"
    usage = """\
from diffusers import ControlNetUnionModel, StableDiffusionXLControlNetUnionPipeline

controlnet = ControlNetUnionModel.from_pretrained(THIS_FOLDER)
pipe = StableDiffusionXLControlNetUnionPipeline.from_pretrained(BASE, controlnet=controlnet)
image = pipe("a person waving", control_image=[pose, depth], control_mode=[0, 1]).images[0]"""
    network_class = "ControlNetUnionModel"
    network: ControlNetUnionModel

    def prepare(self) -> None:
        # With several condition images, the network's scale acts on them: at 0 the result would not be the
        # base.
        self.network.register_forward_hook(self._weigh)

    def _weigh(self, network: Any, given: Any, answer: tuple[Any, ...]) -> tuple[Any, ...]:
        return [self.scale * tensor for tensor in answer[0]], self.scale * answer[1]

    @classmethod
    def build(cls, pipeline: StableDiffusionXLPipeline) -> ControlNetUnionModel:
        network = cls.model().from_unet(pipeline.unet)
        width = pipeline.unet.config.block_out_channels[0]
        if width == _PICTURE_CHANNELS:
            return network
        # `from_unet` always uses SDXL's transformer width, regardless of the UNet's.
        heads = next(count for count in range(_HEADS, 0, -1) if width % count == 0)
        config = {name: value for name, value in network.config.items() if not name.startswith("_")}
        config |= {"num_trans_channel": width, "num_proj_channel": width, "num_trans_head": heads}
        fitting = cls.model()(**config)
        shapes = {name: tensor.shape for name, tensor in fitting.state_dict().items()}
        copied = {
            name: tensor for name, tensor in network.state_dict().items() if tensor.shape == shapes[name]
        }
        fitting.load_state_dict(copied, strict=False)
        return fitting

    def shown(self) -> str:
        return " and, in a separate image, ".join(f"the {name}" for name in self.conditions)

    def check(self) -> None:
        check_encoder(self)

    def predict(self, batch: Batch) -> Tensor:
        kind, modes = self.network.dtype, [_MODES[name] for name in self.conditions]
        which = torch.zeros(len(batch.noisy), self.network.config.num_control_type)
        which[:, modes] = 1
        down, middle = self.network(
            batch.noisy.to(kind),
            batch.timesteps,
            encoder_hidden_states=batch.tokens.to(kind),
            controlnet_cond=[batch.conditions[name].to(batch.noisy.device, kind) for name in self.conditions],
            control_type=which.to(batch.noisy.device, kind),
            control_type_idx=modes,
            added_cond_kwargs={"text_embeds": batch.pooled, "time_ids": batch.time_ids},
            return_dict=False,
        )
        return batch.predict(
            self.unet,
            down_block_additional_residuals=[tensor.to(self.unet.dtype) for tensor in down],
            mid_block_additional_residual=middle.to(self.unet.dtype),
        )

    def sampler(self) -> DiffusionPipeline:
        from diffusers import StableDiffusionXLControlNetUnionPipeline

        return StableDiffusionXLControlNetUnionPipeline(
            **self.parts(), controlnet=self.network, add_watermarker=False
        )

    def arguments(self, conditions: Mapping[str, Tensor]) -> dict[str, Any]:
        pictures = [conditions[name].to(self.network.device, self.network.dtype) for name in self.conditions]
        return {
            "control_image": pictures,
            "control_mode": [_MODES[name] for name in self.conditions],
            "controlnet_conditioning_scale": 1.0,  # β is applied to what the network adds
        }
