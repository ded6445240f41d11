"""Patches kept on disk: what is trained is the same to the bit, and nothing that is damaged is believed."""

import json
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from napari_tcgn.engine import Progress
from napari_tcgn.training.data import cut
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.data.patch_cache import PatchCache, patch_key
from support.runs import finish, start


@pytest.fixture
def section(dataset):
    return find_sections(dataset)[0]


def entries(folder):
    return sorted(path.suffix for path in folder.iterdir())


def no_cutting(*_):
    raise AssertionError("a patch was cut although it is in the cache")


def test_training_with_the_cache_equals_training_without(dataset, tmp_path, genes, monkeypatch):
    cache = tmp_path / "cache"
    finish(start(dataset, tmp_path / "without", genes))
    finish(start(dataset, tmp_path / "first", genes, cache=cache))
    monkeypatch.setattr(cut, "cut_patch", no_cutting)
    finish(start(dataset, tmp_path / "second", genes, cache=cache))
    models = [(tmp_path / name / "model/model.safetensors").read_bytes() for name in ("without", "first", "second")]
    assert models[0] == models[1] == models[2]
    metrics = [
        [{**json.loads(line), "seconds": 0} for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("without", "first", "second")
    ]
    assert metrics[0] == metrics[1] == metrics[2]
    told = [json.loads((tmp_path / name / "run.json").read_text())["patch_cache"] for name in ("first", "second")]
    assert told == [{"read": 0, "written": 3, "notes": []}, {"read": 3, "written": 0, "notes": []}]
    assert entries(cache) == [".json"] * 3 + [".npy"] * 3


def test_patches_are_mapped_not_read(section, tmp_path, genes):
    plain = load_section(section, genes, mpp=2.0)
    for _ in range(2):
        kept = load_section(section, genes, mpp=2.0, cache=PatchCache(tmp_path))
        assert isinstance(kept.patches, np.memmap)
        np.testing.assert_array_equal(kept.patches, plain.patches)
        assert (kept.mpp, kept.padded, kept.mpp_source) == (plain.mpp, plain.padded, plain.mpp_source)


def damage_array(folder):
    (path,) = folder.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def cut_short(folder):
    (path,) = folder.glob("*.npy")
    path.write_bytes(path.read_bytes()[:3000])


def other_shape(folder):
    from napari_tcgn.files import sha256_of

    (path,), (entry,) = folder.glob("*.npy"), folder.glob("*.json")
    np.save(path, np.zeros((48, 20, 20, 3), np.uint8))
    entry.write_text(json.dumps({**json.loads(entry.read_text()), "sha256": sha256_of(path)}))


def objects(folder):
    (path,) = folder.glob("*.npy")
    np.save(path, np.array([{"code": "could run"}], dtype=object), allow_pickle=True)


def no_json(folder):
    (path,) = folder.glob("*.json")
    path.write_text("{")


def no_array(folder):
    (path,) = folder.glob("*.npy")
    path.unlink()


@pytest.mark.parametrize("damage", [damage_array, cut_short, other_shape, objects, no_json, no_array])
def test_damaged_entries_are_made_again_and_told(section, tmp_path, genes, damage):
    plain = np.array(load_section(section, genes, mpp=2.0, cache=PatchCache(tmp_path)).patches)
    damage(tmp_path)
    cache = PatchCache(tmp_path)
    np.testing.assert_array_equal(load_section(section, genes, mpp=2.0, cache=cache).patches, plain)
    assert (cache.read, cache.written) == (0, 1)
    assert "damaged" in cache.notes[0]
    again = PatchCache(tmp_path)
    load_section(section, genes, mpp=2.0, cache=again)
    assert (again.read, again.notes) == (1, [])


def test_an_array_without_its_entry_was_never_finished(section, tmp_path, genes):
    load_section(section, genes, mpp=2.0, cache=PatchCache(tmp_path))
    next(tmp_path.glob("*.json")).unlink()
    cache = PatchCache(tmp_path)
    load_section(section, genes, mpp=2.0, cache=cache)
    assert (cache.read, cache.written, cache.notes) == (0, 1, [])


def test_key_follows_slide_spots_and_size(own_dataset, genes):
    section = find_sections(own_dataset)[0]
    spots = load_section(section, genes, mpp=2.0).spots
    first = patch_key(section.image, spots, 38, 0, 2.0)
    assert first == patch_key(section.image, spots, 38, 0, 2.0)
    keys = {
        first,
        patch_key(section.image, spots, 39, 0, 2.0),
        patch_key(section.image, spots, 38, 1, 2.0),
        patch_key(section.image, spots, 38, 0, None),
        patch_key(section.image, spots.select(np.arange(len(spots))[::-1]), 38, 0, 2.0),
    }
    changed = np.array(Image.open(section.image))
    changed[0, 0] = 0
    Image.fromarray(changed).save(section.image)
    keys.add(patch_key(section.image, spots, 38, 0, 2.0))
    assert len(keys) == 6
    assert patch_key(section.image.with_suffix(".mrxs"), spots, 38, 0, 2.0) is None
    assert patch_key(section.image.parent, spots, 38, 0, 2.0) is None


def test_a_folder_that_cannot_be_written_is_done_without(dataset, tmp_path, genes):
    (tmp_path / "file").write_text("mine")
    finish(start(dataset, tmp_path / "without", genes))
    told, _ = finish(start(dataset, tmp_path / "run", genes, cache=tmp_path / "file" / "cache"))
    notes = [step.stage for step in told if isinstance(step, Progress) and step.stage.startswith("patch cache")]
    assert len(notes) == 3
    assert "kept in memory" in notes[0]
    models = [(tmp_path / name / "model/model.safetensors").read_bytes() for name in ("without", "run")]
    assert models[0] == models[1]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a thing of Unix")
def test_a_full_disk_is_done_without(section, tmp_path, genes):
    import resource

    plain, cache = load_section(section, genes, mpp=2.0), PatchCache(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        found = load_section(section, genes, mpp=2.0, cache=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    np.testing.assert_array_equal(found.patches, plain.patches)
    assert not isinstance(found.patches, np.memmap)
    assert "kept in memory" in cache.notes[0]
    assert list(tmp_path.iterdir()) == []


def test_clearing_removes_patches_and_nothing_else(section, tmp_path, genes):
    cache = PatchCache(tmp_path / "cache")
    assert cache.size().entries == 0
    load_section(section, genes, mpp=2.0, cache=cache)
    torn = tmp_path / "cache" / f".{'a' * 64}.npy.0123abcd-1-abcd1234.npy"  # of another machine, long ago
    torn.write_bytes(b"half")
    os.utime(torn, (1, 1))
    (tmp_path / "cache" / "notes.json").write_text("mine")
    (tmp_path / "cache" / "data.npy").write_text("mine")
    size = cache.size()
    assert size.entries == 1
    assert size.bytes > 48 * 38 * 38 * 3
    assert cache.clear() == size
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["data.npy", "notes.json"]


def test_spots_are_still_checked_against_their_slide(own_dataset, genes, tmp_path):
    """What was found for one slide is not believed of another."""
    section = find_sections(own_dataset)[0]
    load_section(section, genes, mpp=2.0, cache=PatchCache(tmp_path))
    Image.open(section.image).crop((0, 0, 500, 500)).save(section.image)
    with pytest.raises(Exception, match="outside"):
        load_section(section, genes, mpp=2.0, cache=PatchCache(tmp_path))


def test_patches_of_all_spots_are_indexed_like_one_tensor():
    from napari_tcgn.training.data.spot_patches import SpotPatches

    rng = np.random.default_rng(0)
    sections = [rng.integers(0, 255, (n, 6, 6, 3), dtype=np.uint8) for n in (4, 1, 7)]
    patches, whole = SpotPatches(sections, "cpu"), torch.from_numpy(np.concatenate(sections))
    order = torch.tensor([11, 0, 4, 3, 5, 5, 10])
    assert torch.equal(patches[order], whole[order])
    assert patches[torch.empty(0, dtype=torch.long)].shape == (0, 6, 6, 3)
    assert (patches.shape, len(patches)) == ((12, 6, 6, 3), 12)
