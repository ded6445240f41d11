"""`napari-tcgn data cache`: what patches and pyramids take, and getting rid of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_tcgn.files import cache_folder
from napari_tcgn.slide import open_slide
from napari_tcgn.slide.pyramid_cache import keep_pyramid
from napari_tcgn.training.data.patch_cache import PatchCache


def test_one_command_shows_and_clears_both_caches(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_TCGN_CACHE", str(tmp_path))
    Image.new("RGB", (300, 200)).save(tmp_path / "flat.png")
    assert keep_pyramid(open_slide(tmp_path / "flat.png"))
    for key in "01":
        PatchCache(cache_folder("patches")).keep(key * 64, np.zeros((2, 4, 4, 3), np.uint8), {})
    places = [tmp_path / name for name in ("patches", "pyramids")]
    code, said, _ = run("data", "cache")
    assert code == 0
    first, second = said.splitlines()
    assert first.startswith(f"{places[0]}: patches and encoders' features in 2 entries, ")
    assert second.startswith(f"{places[1]}: pyramids of 1 slide, ")
    code, said, _ = run("data", "cache", "--clear")
    assert code == 0
    assert said.splitlines()[1].startswith("Removed pyramids of 1 slide, ")
    assert [list(place.iterdir()) for place in places] == [[], []]


def test_the_usual_folder_is_one_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAPARI_TCGN_CACHE")
    assert cache_folder("patches").parent == cache_folder("pyramids").parent
    assert cache_folder("patches").parent.name == "napari-tcgn"
