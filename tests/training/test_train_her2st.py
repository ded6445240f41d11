import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_tcgn.errors import DataError, PixelSizeUnknownError, SlideError, SpotsError, TcgnError
from napari_tcgn.model.panels import read_panel
from napari_tcgn.training.data.her2st import find_sections, load_section

MPP = 2.0


def _section(folder, name="B1"):
    return next(section for section in find_sections(folder) if section.name == name)


def test_finds_sections_from_both_folders(dataset):
    sections = find_sections(dataset)
    assert [(s.name, s.patient) for s in sections] == [("B1", "B"), ("B2", "B"), ("C1", "C")]
    assert sections == find_sections(dataset / "data")
    assert sections[0].counts.name == "B1.tsv.gz"
    assert sections[2].counts.name == "C1.tsv"
    assert all(path.is_file() for s in sections for path in (s.image, s.counts, s.spots))


def test_section_holds_spots_of_both_tables_in_the_order_of_the_counts(dataset, genes):
    section = _section(dataset)
    data = load_section(section, genes, mpp=MPP)
    table = pd.read_csv(section.counts, sep="\t", index_col=0)
    assert data.spots.ids.tolist() == table.index.tolist()
    assert data.spots.ids[0] == "7x7"
    assert data.only_spots == ("2x2",)
    assert data.only_counts == ()
    np.testing.assert_array_equal(data.counts, table[genes].to_numpy())
    relative = table[genes].to_numpy() / np.maximum(table[genes].to_numpy().sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(data.target, np.log10(1 + 1e4 * relative), rtol=1e-6)
    assert data.measured.all()


def test_an_empty_spot_is_all_zero(dataset, genes):
    data = load_section(_section(dataset, "C1"), genes, mpp=MPP)
    empty = data.spots.ids == "3x3"
    assert (data.target[empty] == 0).all()
    assert (data.target[~empty].sum(axis=1) > 0).all()


def test_patch_is_upright_and_centred(dataset, genes):
    section = _section(dataset)
    data = load_section(section, genes, mpp=MPP)
    assert data.patches.shape == (48, 38, 38, 3)  # 77 µm at 2 µm per pixel
    image = np.asarray(Image.open(section.image))
    for i in (0, 17, 47):
        row, column = int(data.spots.y[i]), int(data.spots.x[i])
        np.testing.assert_array_equal(data.patches[i], image[row - 19 : row + 19, column - 19 : column + 19])


def test_panel_order_and_missing_genes(dataset, genes):
    order = ["GENE9", "GENE3", "NOWHERE", "GENE0"]
    data = load_section(_section(dataset, "B2"), order, mpp=MPP)
    assert data.measured.tolist() == [False, True, False, True]
    table = pd.read_csv(_section(dataset, "B2").counts, sep="\t", index_col=0)
    np.testing.assert_array_equal(data.counts[:, 1], table["GENE3"])
    np.testing.assert_array_equal(data.counts[:, [0, 2]], 0)
    with pytest.raises(DataError, match="none of the 1 genes"):
        load_section(_section(dataset), ["ENSG00000000003"], mpp=MPP)


def test_wrong_scale_is_refused_with_the_right_one(dataset, genes):
    # without --mpp the scale of the published images is assumed, which the distance of these spots contradicts
    with pytest.raises(DataError, match="--mpp 2") as raised:
        load_section(_section(dataset), genes)
    assert "0.688" in str(raised.value)


def test_unknown_patient_needs_mpp(own_dataset, genes):
    root = own_dataset / "data"
    (root / "ST-imgs" / "own").mkdir()
    (root / "ST-imgs" / "C" / "C1").rename(root / "ST-imgs" / "own" / "own1")
    (root / "ST-cnts" / "C1.tsv").rename(root / "ST-cnts" / "own1.tsv")
    (root / "ST-spotfiles" / "C1_selection.tsv").rename(root / "ST-spotfiles" / "own1_selection.tsv")
    section = _section(own_dataset, "own1")
    with pytest.raises(PixelSizeUnknownError, match="--mpp"):
        load_section(section, genes)
    assert load_section(section, genes, mpp=MPP).mpp_source != "known scale of the published her2st images"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: shutil.rmtree(root / "ST-imgs" / "B" / "B2"), "B2 has no image"),
        (lambda root: (root / "ST-imgs" / "B" / "B2" / "second.png").write_bytes(b""), "B2 has 2 images"),
        (lambda root: (root / "ST-spotfiles" / "C1_selection.tsv").unlink(), "C1 lacks its spot table"),
        (lambda root: shutil.rmtree(root / "ST-spotfiles"), "no ST-spotfiles"),
        (lambda root: shutil.rmtree(root / "ST-cnts"), "no ST-cnts"),
        (lambda root: [p.unlink() for p in (root / "ST-cnts").iterdir()], "no count table"),
        (lambda root: shutil.rmtree(root), "no ST-cnts"),
    ],
)
def test_incomplete_folder(own_dataset, damage, message):
    damage(own_dataset / "data")
    with pytest.raises(DataError, match=message):
        find_sections(own_dataset)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        find_sections(tmp_path / "absent")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(DataError, match="does not exist"):
        find_sections(file)


def test_hidden_files_are_no_sections(own_dataset):
    (own_dataset / "data" / "ST-cnts" / "._B1.tsv").write_text("")
    (own_dataset / "data" / "ST-imgs" / "B" / "B1" / "._B1_HE.jpg").write_text("")
    assert len(find_sections(own_dataset)) == 3


def test_spots_of_another_section(own_dataset, genes):
    path = own_dataset / "data" / "ST-cnts" / "B1.tsv.gz"
    head, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([head, *(f"9{row}" for row in rows)]).encode()))
    with pytest.raises(DataError, match="only 0 of the 49 spots"):
        load_section(_section(own_dataset), genes, mpp=MPP)


def test_damaged_files(own_dataset, genes):
    section = _section(own_dataset)
    spots, image = section.spots.read_text(), section.image.read_bytes()
    section.spots.write_text(spots.replace("100.", "nan #", 1))
    with pytest.raises(SpotsError):
        load_section(section, genes, mpp=MPP)
    section.spots.write_text(spots)
    section.image.write_bytes(image[:50])
    with pytest.raises(SlideError):
        load_section(section, genes, mpp=MPP)
    section.image.write_bytes(image)
    section.counts.write_bytes(section.counts.read_bytes()[:40])
    with pytest.raises(TcgnError):
        load_section(section, genes, mpp=MPP)


def test_spots_outside_the_image(own_dataset, genes):
    section = _section(own_dataset)
    Image.open(section.image).crop((0, 0, 500, 500)).save(section.image)
    with pytest.raises(TcgnError, match="outside"):
        load_section(section, genes, mpp=MPP)


@pytest.fixture(scope="module")
def expected(real_data):
    return json.loads((real_data / "her2st" / "expected_statistics.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["B4", "C2", "C3", "C5"])
def test_real_sections_have_the_expected_statistics(real_data, expected, name):
    section = _section(real_data / "her2st", name)
    panel = read_panel("her2st_785")
    data = load_section(section, panel)
    want = expected["sections"][name]
    assert section.image.as_posix().endswith(want["image"]["file"])
    assert len(data) == want["n_spots_both"]
    assert list(data.only_spots) == want["spots_only_in_selection"]
    assert list(data.only_counts) == want["spots_only_in_counts"]
    assert data.measured.sum() == want["n_of_785_present"] == len(panel)
    assert data.padded == 0
    assert want["image"]["all_patches_inside_image"]
    assert data.mpp == pytest.approx(want["image"]["microns_per_pixel_mean"], rel=2e-3)
    _check_expression(data, panel, want)
    _check_pixels(data, want)


def _check_expression(data, panel, want):
    library = data.counts.sum(axis=1)
    for key, value in want["library_size_785_genes"].items():
        assert getattr(np, key)(library) == pytest.approx(value, abs=1e-3)
    assert (data.counts.sum(axis=0) == 0).sum() == want["n_of_785_with_no_count_in_section"]
    matrix = want["lognorm_785_matrix"]
    target = data.target.astype(float)
    assert list(target.shape) == matrix["shape"]
    for name, value in (("mean", target.mean()), ("std", target.std()), ("max", target.max())):
        assert value == pytest.approx(matrix[name], abs=1e-6)
    assert (target == 0).mean() == pytest.approx(matrix["fraction_zero"], abs=1e-6)
    assert target.sum() == pytest.approx(matrix["checksum_sum"], abs=0.02)
    for gene, stages in want["genes_in_785"].items():
        column = panel.index(gene)
        for stage, values in (("raw", data.counts[:, column].astype(float)), ("lognorm", target[:, column])):
            for key in ("min", "mean", "median", "max", "std"):
                assert getattr(np, key)(values) == pytest.approx(stages[stage][key], abs=1e-6)
            assert (values == 0).mean() == pytest.approx(stages[stage]["fraction_zero"], abs=1e-6)
    first = want["first_spot"]
    assert data.spots.ids[0] == first["id"]
    assert [data.spots.x[0], data.spots.y[0]] == pytest.approx(first["pixel"], abs=0.01)
    assert library[0] == first["library_785"]
    for gene, value in first["lognorm"].items():
        assert target[0, panel.index(gene)] == pytest.approx(value, abs=1e-6)


def _check_pixels(data, want):
    image = want["image"]
    assert data.patches.shape == (want["n_spots_both"], 112, 112, 3)
    # JPEG decoders differ by up to half a grey value
    np.testing.assert_allclose(data.patches.mean(axis=(0, 1, 2)), image["patch_mean_rgb_over_all_spots"], atol=0.5)
    ids = data.spots.ids.tolist()
    for example in image["patch_examples"]:
        i = ids.index(example["id"])
        assert [int(data.spots.x[i]), int(data.spots.y[i])] == example["centre"]
        np.testing.assert_allclose(data.patches[i].mean(axis=(0, 1)), example["mean_rgb"], atol=0.5)


def test_panel_is_the_expected_one(expected):
    import hashlib

    panel = read_panel("her2st_785")
    digest = hashlib.sha256("\n".join(panel).encode()).hexdigest()
    assert digest == expected["gene_list_sha256_of_newline_joined"]
    assert {gene: panel.index(gene) for gene in expected["genes_named"]} == expected["gene_index_from_0"]
