import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_tcgn.errors import CheckpointError, DataError, OutputError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.data.dataset import build_dataset
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.fit.run_folder import RunFolder

SETTINGS = TrainSettings(batch_size=8, val_fraction=0.25)


@pytest.fixture
def sections(dataset, genes):
    return [load_section(section, genes, mpp=2.0) for section in find_sections(dataset)]


def test_every_spot_has_one_part_and_the_last_section_is_the_test(sections):
    data = build_dataset(sections, SETTINGS, "cpu")
    parts = np.concatenate([data.train, data.validation, data.test])
    assert sorted(parts) == list(range(144))
    assert data.names[-1] == "C1"
    assert data.test.tolist() == list(range(96, 144))
    assert set(data.section_of[data.validation].tolist()) == {0, 1}
    np.testing.assert_array_equal(data.patches[torch.arange(48, 96)], sections[1].patches)
    np.testing.assert_array_equal(data.target[data.test], sections[2].target)
    assert data.measured[:, 9].tolist() == [True, False, True]


def test_sections_of_another_scale_are_brought_to_one_side(sections):
    coarse = replace(sections[0], patches=np.ascontiguousarray(sections[0].patches[:, ::2, ::2]))
    data = build_dataset([coarse, *sections[1:]], SETTINGS, "cpu")
    assert data.patches.shape == (144, 38, 38, 3)
    shrunk, whole = data.patches[torch.arange(48)].float().numpy(), sections[0].patches.astype(float)
    assert abs(shrunk - whole).mean() < 3  # the picture is smooth, so little is lost
    np.testing.assert_array_equal(data.patches[torch.arange(48, 96)], sections[1].patches)


def test_too_little_to_split(sections):
    few = [
        replace(s, spots=s.spots.select(np.arange(1)), patches=s.patches[:1], target=s.target[:1], counts=s.counts[:1])
        for s in sections
    ]
    with pytest.raises(DataError, match="too small to set spots aside"):
        build_dataset(few, replace(SETTINGS, batch_size=1), "cpu")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "something else"}'])
def test_record_that_is_none(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError, match=r"run\.json"):
        RunFolder(tmp_path).check(resume=True)


def test_missing_best_weights_and_foreign_checkpoint(tmp_path):
    import torch

    (tmp_path / "run.json").write_text(json.dumps({"format": "napari-tcgn training run 1"}))
    run = RunFolder(tmp_path)
    run.check(resume=True)
    assert run.load() is None
    with pytest.raises(CheckpointError, match=r"best-0003"):
        run.best_weights(3)
    torch.save({"weight": torch.zeros(2)}, run.checkpoint_path)
    with pytest.raises(CheckpointError, match="not a checkpoint of a training run"):
        run.load()
