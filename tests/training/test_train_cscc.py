"""Files under the names of GSE144240, synthetic: found, told apart, read packed as they are published."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.errors import DataError, PixelSizeUnknownError, SlideError
from napari_tcgn.model import ModelCard
from napari_tcgn.options import TrainSettings
from napari_tcgn.spots import read_st_counts
from napari_tcgn.training.data.folds import resolve_fold
from napari_tcgn.training.data.her2st import find_sections, load_section, study_of
from napari_tcgn.training.data.patch_cache import PatchCache
from napari_tcgn.training.fit.loop import train_steps
from support.runs import FAST, finish, small_net

MPP = 2.0
NAMES = {"GSM4284316": "P2_ST_rep1", "GSM4284317": "P2_ST_rep2", "GSM4284325": "P10_ST_rep1"}


def packed(path, content: bytes):
    path.write_bytes(gzip.compress(content))


@pytest.fixture(scope="module")
def published(tmp_path_factory, dataset):
    """The drawn sections under the archive's names, in its columns (no column "selected"), packed."""
    root = tmp_path_factory.mktemp("GSE144240_RAW")
    for (accession, name), section in zip(NAMES.items(), find_sections(dataset), strict=True):
        packed(root / f"{accession}_{name}.jpg.gz", section.image.read_bytes())
        lines = [line.split("\t")[:6] for line in section.spots.read_text().splitlines()]
        rows = ["\t".join([str(round(float(a))), str(round(float(b))), *rest]) for a, b, *rest in lines[1:]]
        packed(
            root / f"{accession}_spot_data-selection-{name}.tsv.gz", "\n".join(["\t".join(lines[0]), *rows]).encode()
        )
        read_st_counts(section.counts).to_csv(root / f"{accession}_{name}_stdata.tsv.gz", sep="\t")
    # Other files of the archive.
    packed(root / "GSM4565823_V10F24-015_A1_barcodes.tsv.gz", b"AAAC-1\n")
    (root / "GSE144240_series_matrix.txt").write_text("!Series_title\n")
    return root


@pytest.fixture
def own(published, tmp_path):
    return shutil.copytree(published, tmp_path / "own")


def test_sections_are_found_by_patient_and_replicate(published):
    sections = find_sections(published)
    assert [(s.name, s.patient) for s in sections] == [
        ("P2_ST_rep1", "P2"), ("P2_ST_rep2", "P2"), ("P10_ST_rep1", "P10"),
    ]  # fmt: skip
    study = study_of(published, sections)
    assert study.name == "cscc"
    names = [s.name for s in sections]
    assert resolve_fold(2, names, study.patients) == (["P10_ST_rep1"], names[:2])
    assert resolve_fold("p2_st_rep2", names, study.patients)[0] == ["P2_ST_rep2"]
    assert resolve_fold("P2", names, study.patients) == (names[:2], ["P10_ST_rep1"])


def test_packed_files_give_the_data_they_were_made_of(published, dataset, genes, tmp_path):
    cache = PatchCache(tmp_path)
    for found, original in zip(find_sections(published), find_sections(dataset), strict=True):
        expected = load_section(original, genes, mpp=MPP)
        for _ in range(2):
            data = load_section(found, genes, mpp=MPP, cache=cache)
            assert data.spots.ids.tolist() == expected.spots.ids.tolist()
            np.testing.assert_array_equal(data.counts, expected.counts)
            np.testing.assert_array_equal(data.patches, expected.patches)
    assert (cache.read, cache.written) == (3, 3)


def test_unpacked_files_without_accession_are_the_same(own, published, genes):
    for path in own.glob("GSM42843*.gz"):
        (own / path.name.removesuffix(".gz").split("_", 1)[1]).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    for plain, packed_one in zip(find_sections(own), find_sections(published), strict=True):
        assert plain.name == packed_one.name
        one, other = (load_section(s, genes, mpp=MPP) for s in (plain, packed_one))
        np.testing.assert_array_equal(one.patches, other.patches)


def test_a_file_unpacked_beside_the_packed_one_is_taken(own):
    path = own / "GSM4284316_P2_ST_rep1.jpg.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    assert find_sections(own)[0].image == path.with_suffix("")


def test_scale_must_be_given_and_the_distance_of_the_spots_says_which(published, genes):
    section = find_sections(published)[0]
    with pytest.raises(PixelSizeUnknownError, match=r"100\.0 px apart: 2 at 200 µm or 1\.5 at 150 µm"):
        load_section(section, genes)
    assert load_section(section, genes, mpp=2.0).spots.pitch_um == 200
    assert load_section(section, genes, mpp=1.5).spots.pitch_um == 150
    with pytest.raises(DataError, match="px apart"):
        load_section(section, genes, mpp=0.7)


def test_arrays_numbered_like_a_chessboard_are_150_um_across_the_corner(own, genes):
    """Every field keeps its place on the image and gets the numbers of a board that is turned by 45 degrees."""
    spots, counts = (
        own / f"GSM4284316_{name}.tsv.gz" for name in ("spot_data-selection-P2_ST_rep1", "P2_ST_rep1_stdata")
    )
    turned = lambda x, y: (x - y + 60, x + y)  # noqa: E731
    table = pd.read_csv(spots, sep="\t")
    table["x"], table["y"] = turned(table["x"], table["y"])
    table.to_csv(spots, sep="\t", index=False)
    measured = read_st_counts(counts)
    measured.index = ["{}x{}".format(*turned(*map(int, name.split("x")))) for name in measured.index]
    measured.to_csv(counts, sep="\t")
    section = find_sections(own)[0]
    with pytest.raises(PixelSizeUnknownError, match=r"100\.0 px apart: 2 at 200 µm or 1\.5 at 150 µm"):
        load_section(section, genes)
    assert load_section(section, genes, mpp=1.5).spots.pitch_um == 150


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "GSM4284316_P2_ST_rep1.jpg.gz").unlink(), "P2_ST_rep1 lacks its image"),
        (lambda root: (root / "GSM4284325_spot_data-selection-P10_ST_rep1.tsv.gz").unlink(), "lacks its spot table"),
        (lambda root: shutil.copy(root / "GSM4284316_P2_ST_rep1.jpg.gz", root / "P2_ST_rep1.png.gz"), "has 2 times"),
    ],
)
def test_incomplete_folder(own, damage, message):
    damage(own)
    with pytest.raises(DataError, match=message):
        find_sections(own)


@pytest.mark.parametrize("content", [b"no gzip at all", None])
def test_damaged_image(own, genes, content):
    path = own / "GSM4284316_P2_ST_rep1.jpg.gz"
    path.write_bytes(path.read_bytes()[:-500] if content is None else content)
    with pytest.raises(SlideError, match=r"jpg\.gz cannot be unpacked"):
        load_section(find_sections(own)[0], genes, mpp=MPP)


def test_a_patient_is_held_out_and_the_card_names_the_study(published, tmp_path, genes):
    settings = TrainSettings(epochs=1, batch_size=16, learning_rate=FAST.learning_rate, val_fraction=0.25, device="cpu")
    steps = train_steps(published, "P10", tmp_path / "run", settings, genes=genes, mpp=MPP, build_net=small_net)
    _, result = finish(steps)
    assert result.held_out == ["P10_ST_rep1"]
    card = ModelCard.read(result.model_folder / "card.json")
    assert card.name == "tcgn-tiny-cscc-without-P10_ST_rep1"
    assert "GSE144240" in card.training["data"]
    assert "patient held out" in card.metrics.protocol
    assert json.loads((tmp_path / "run" / "run.json").read_text())["identity"]["training"] == [
        "P2_ST_rep1",
        "P2_ST_rep2",
    ]


def test_image_is_the_one_in_the_archive(published, dataset):
    with gzip.open(find_sections(published)[0].image) as handle:
        assert Image.open(handle).size == Image.open(find_sections(dataset)[0].image).size
