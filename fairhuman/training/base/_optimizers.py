"""AdamW, or Muon on a network's inner matrices and AdamW on the rest."""

from __future__ import annotations

import torch
from torch import nn

from fairhuman.training.base._settings import AutoencoderSettings, DenoiserSettings

INNER = ("down_blocks.", "mid_block.", "up_blocks.")
"""Where the inner matrices are; the layers at a network's ends and the embeddings are AdamW's, as usual."""


class Optimizers:
    """One or two optimisers that step together.

    Muon (Jordan et al., 2024) wants matrices, so each kernel is shown to it as a matrix of shape
    (out, in · height · width) that shares its memory.

    Args:
        network: The UNet or the autoencoder.
        others: Modules that train with it.
        settings: Learning rates and the choice of optimiser.
    """

    def __init__(
        self, network: nn.Module, others: list[nn.Module], settings: AutoencoderSettings | DenoiserSettings
    ) -> None:
        self._matrices: list[tuple[nn.Parameter, nn.Parameter]] = []
        rest = [parameter for module in others for parameter in module.parameters()]
        for name, parameter in network.named_parameters():
            inner = any(part in name for part in INNER)
            if settings.optimizer == "muon" and inner and parameter.ndim >= 2:
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
        """One update from the current gradients."""
        for parameter, matrix in self._matrices:
            matrix.grad = None if parameter.grad is None else parameter.grad.reshape(matrix.shape)
        for optimizer in self.all:
            optimizer.step()
