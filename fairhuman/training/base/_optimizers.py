"""AdamW, or Muon on the UNet's inner matrices and AdamW on the rest."""

from __future__ import annotations

import torch
from torch import nn

from fairhuman.training.base._settings import DenoiserSettings

INNER = ("down_blocks.", "mid_block.", "up_blocks.")
"""Where the UNet's inner matrices are; the layers at its ends and the embeddings are AdamW's, as usual."""


class Optimizers:
    """One or two optimisers that step together.

    Muon (Jordan et al., 2024) wants matrices, so each kernel is shown to it as a matrix of shape
    (out, in · height · width) that shares its memory.

    Args:
        unet: The UNet.
        others: Modules that train with it.
        settings: Learning rates and the choice of optimiser.
    """

    def __init__(self, unet: nn.Module, others: list[nn.Module], settings: DenoiserSettings) -> None:
        self._matrices: list[tuple[nn.Parameter, nn.Parameter]] = []
        rest = [parameter for module in others for parameter in module.parameters()]
        for name, parameter in unet.named_parameters():
            if settings.optimizer == "muon" and name.startswith(INNER) and parameter.ndim >= 2:
                self._matrices.append((parameter, nn.Parameter(parameter.data.view(len(parameter), -1))))
            else:
                rest.append(parameter)
        adamw = torch.optim.AdamW(
            rest, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
        )
        adamw.param_groups[0]["peak"] = settings.learning_rate
        self.all: list[torch.optim.Optimizer] = [adamw]
        if self._matrices:
            muon = torch.optim.Muon(
                [matrix for _, matrix in self._matrices],
                lr=settings.muon_learning_rate,
                weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            muon.param_groups[0]["peak"] = settings.muon_learning_rate
            self.all.append(muon)

    def step(self) -> None:
        """One update from the gradients at hand."""
        for parameter, matrix in self._matrices:
            matrix.grad = None if parameter.grad is None else parameter.grad.reshape(matrix.shape)
        for optimizer in self.all:
            optimizer.step()
