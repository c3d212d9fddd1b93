"""The network is the one that FID is defined with, as far as it can be told without its weights."""

import pytest
import torch

from fairhuman.evaluation.inception import FEATURES, Inception, InceptionFeatures
from fairhuman.evaluation.preference import MissingWeights


def test_it_has_the_published_tensors():
    with torch.device("meta"):
        network = Inception()
    # torchvision's Inception v3 without its auxiliary classifier and its last layer: 23 834 568 − 2 049 000.
    assert sum(p.numel() for p in network.parameters()) == 21_785_568
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert shapes["Mixed_6c.branch7x7dbl_4.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert shapes["Mixed_7c.branch_pool.bn.running_var"] == (192,)
    assert network(torch.empty(2, 3, 299, 299, device="meta")).shape == (2, FEATURES)


def test_pooling_leaves_padding_out():
    # A constant image stays constant through every layer but padded convolutions; means of it must, too.
    from fairhuman.evaluation.inception import _pooled

    assert _pooled(torch.full((1, 1, 5, 5), 3.0)).unique().tolist() == [3.0]


def test_only_its_own_weights_are_taken(tmp_path):
    with pytest.raises(MissingWeights, match="inception: no such file"):
        InceptionFeatures.load(tmp_path / "inception.pth")
    torch.save({"fc.weight": torch.zeros(1008, 2048)}, tmp_path / "inception.pth")
    with pytest.raises(ValueError, match="not those of Inception as FID uses it"):
        InceptionFeatures.load(tmp_path / "inception.pth")


def test_it_agrees_with_torchmetrics_own(tmp_path):
    pytest.importorskip("torch_fidelity")
    from torchmetrics.image.fid import NoTrainInceptionV3

    network = Inception().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    last = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(network.state_dict() | last, tmp_path / "inception.pth")
    images = torch.randint(0, 256, (2, 3, 200, 150), dtype=torch.uint8)
    theirs = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(tmp_path / "inception.pth"))(images)
    ours = InceptionFeatures.load(tmp_path / "inception.pth").features(
        list(images.permute(0, 2, 3, 1).numpy())
    )
    torch.testing.assert_close(torch.from_numpy(ours), theirs, rtol=1e-4, atol=1e-5)
