"""A tiny random depth estimator on disk, in the format of the published ones."""

import torch

_SPREAD = 0.18  # of the weights; at the usual 0.02 a network so small gives one depth everywhere


def write_depth_model(folder, kind="relative"):
    """Depth Anything with 56-pixel inputs; ``kind`` "metric" gives metres up to 4. Returns the folder."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, DPTImageProcessor

    backbone = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
        "image_size": 56, "patch_size": 14, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
        "initializer_range": _SPREAD,
    }  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=4, depth_estimation_type=kind,
        max_depth=4 if kind == "metric" else 1, initializer_range=_SPREAD,
    )  # fmt: skip
    torch.manual_seed(0)
    network = DepthAnythingForDepthEstimation(config)
    network.head.conv3.bias.data.fill_(1.0)  # else a random network may see nothing at any distance
    network.save_pretrained(folder)
    DPTImageProcessor(size={"height": 56, "width": 56}).save_pretrained(folder)
    return folder
