"""Areas on the latent grid: soft masks keep them, hard ones may lose a region."""

import numpy as np
from people import write_folder
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.experiments.latent_masks import latent_grids, latent_mask_table


def test_soft_keeps_the_area_and_hard_may_lose_it(tmp_path):
    entries = write_folder(tmp_path, count=3, size=(64, 64))
    small = np.zeros((64, 64), dtype=np.uint8)
    small[9:13, 9:13] = 255  # within one cell, and not on its first pixel
    Image.fromarray(small).save(tmp_path / entries[1]["face_mask_file_name"])
    Image.fromarray(0 * small).save(tmp_path / entries[1]["hand_mask_file_name"])
    data = HumanFolder(tmp_path)
    table = latent_mask_table(data).set_index(["image", "region"])
    assert (1, "hand") not in table.index and len(table) == 5
    np.testing.assert_allclose(table.soft, table.pixels, rtol=1e-6)
    assert table.loc[1, "face"].tolist() == [16 / 4096, 16 / 4096, 0]
    assert (table.hard.drop((1, "face")) > 0).all()
    for mode in ("soft", "hard"):
        grids = latent_grids([data[index] for index in range(3)], mode)
        assert all(grid.shape == (8, 8) for masks in grids for grid in masks.values())
        for (index, region), row in table.iterrows():
            np.testing.assert_allclose(grids[index][region].mean(), row[mode], rtol=1e-6)
