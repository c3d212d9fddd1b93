"""The index of figures names files and notebooks that exist, and each picture once."""

from pathlib import Path

import pytest

from fairhuman.experiments.figures import DRAWINGS, figure_index

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rows():
    return list(figure_index().itertuples())


def test_every_picture_is_there_once(rows):
    pictures = {
        p.relative_to(ROOT).as_posix() for p in (ROOT / "figures").rglob("*") if p.suffix in (".png", ".jpg")
    }
    assert sorted(row.figure for row in rows) == sorted(pictures)


def test_every_picture_has_data_that_exist(rows):
    for row in rows:
        names = [*row.results.split(), *([row.notebook] if row.notebook else [])]
        assert row.results and all((ROOT / name).is_file() for name in names), row


def test_what_is_drawn_from_a_result_names_it(rows):
    drawn = [row for row in rows if Path(row.figure).stem in DRAWINGS]
    assert drawn
    for row in drawn:
        assert row.results.startswith("results/"), row
        assert row.command.startswith("python -m fairhuman figures"), row


def test_scripts_in_commands_exist(rows):
    for row in rows:
        word = row.command.split()[1]
        assert word == "-m" or (ROOT / word).is_file(), row


def test_a_notebook_is_found_by_the_whole_name_of_its_function(rows):
    made = {row.figure: row.notebook for row in rows}  # `conflict_figure` ends `timestep_conflict_figure`
    assert made["figures/training_conflict.png"] == "notebooks/04_train_lora.ipynb"
    assert made["figures/objectives_conflict.png"] == "notebooks/03_objectives.ipynb"


def test_it_needs_a_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAIRHUMAN_WORKSPACE", raising=False)
    with pytest.raises(FileNotFoundError, match="no checkout"):
        figure_index()
