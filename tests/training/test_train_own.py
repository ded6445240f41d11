"""Sections of one's own in every layout give the same data as the study they were made from; what is wrong is named."""

import json
import shutil

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from torch import nn

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import DataError, SpotsError
from napari_tcgn.options import TrainSettings
from napari_tcgn.spots import read_st_counts, read_st_spots
from napari_tcgn.training.data.folds import resolve_fold
from napari_tcgn.training.data.her2st import find_sections, load_section
from napari_tcgn.training.fit.loop import train_steps


def as_h5ad(counts, spots, path):
    """Write an ST section as the AnnData that squidpy users keep."""
    ids = [name for name in counts.index if name in set(spots.ids)]
    at = [list(spots.ids).index(name) for name in ids]
    adata = anndata.AnnData(
        csr_matrix(counts.loc[ids].to_numpy(dtype=np.float32)),
        obs=pd.DataFrame({"array_row": spots.array_row[at], "array_col": spots.array_col[at]}, index=ids),
        var=pd.DataFrame(index=list(counts.columns)),
        obsm={"spatial": np.column_stack([spots.x, spots.y])[at]},
    )
    adata.write_h5ad(path)
    return adata


def write_visium(folder, version: int, barcodes, genes, values, row, col, x, y):
    """Write the parts of Space Ranger's outs folder that are read."""
    (folder / "spatial").mkdir(parents=True)
    table = pd.DataFrame(
        {"barcode": barcodes, "in_tissue": 1, "array_row": row, "array_col": col,
         "pxl_row_in_fullres": y, "pxl_col_in_fullres": x}
    )  # fmt: skip
    name = "tissue_positions.csv" if version == 2 else "tissue_positions_list.csv"
    table.to_csv(folder / "spatial" / name, index=False, header=version == 2)
    (folder / "spatial" / "scalefactors_json.json").write_text('{"spot_diameter_fullres": 50}')
    matrix = csr_matrix(np.asarray(values))
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = matrix.shape[::-1]
        features = group.create_group("features")
        for key, value in {"id": genes, "name": genes, "feature_type": ["Gene Expression"] * len(genes)}.items():
            features[key] = np.array(value, dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(genes), dtype="S")


@pytest.fixture
def own(tmp_path, dataset):
    """The three sections of the drawn study: one as .h5ad, one as ST tables, one as a Visium folder."""
    root = tmp_path / "mine"
    root.mkdir()
    found = {s.name: s for s in find_sections(dataset)}
    for name, section in found.items():
        shutil.copy(section.image, root / f"{name}.jpg")
    as_h5ad(read_st_counts(found["B1"].counts), read_st_spots(found["B1"].spots), root / "B1.h5ad")
    shutil.copy(found["B2"].counts, root / "B2.tsv.gz")
    shutil.copy(found["B2"].spots, root / "B2_spots.tsv")
    counts, spots = read_st_counts(found["C1"].counts), read_st_spots(found["C1"].spots)
    place = {name: i for i, name in enumerate(spots.ids)}
    ids = [name for name in counts.index if name in place]
    at = [place[name] for name in ids]
    write_visium(root / "C1", 2, ids, list(counts.columns), counts.loc[ids].to_numpy(), spots.array_row[at],
                 spots.array_col[at], spots.x[at], spots.y[at])  # fmt: skip
    (root / "sections.csv").write_text(
        "section,patient,image,counts,spots,mpp,pitch_um\n"
        "tumour 1,P1,B1.jpg,B1.h5ad,,2.0,200\ntumour 2,P1,B2.jpg,B2.tsv.gz,B2_spots.tsv,2.0,\n"
        "tumour 3,P2,C1.jpg,C1,,2,200\n"
    )
    return root


def test_every_layout_gives_the_data_of_the_study(own, dataset, genes):
    original = {s.name: load_section(s, genes, mpp=2.0) for s in find_sections(dataset)}
    for section, name in zip(find_sections(own), ("B1", "B2", "C1"), strict=True):
        found, expected = load_section(section, genes), original[name]
        at = [list(found.spots.ids).index(i) for i in expected.spots.ids]
        np.testing.assert_array_equal(found.counts[at], expected.counts)
        np.testing.assert_array_equal(found.patches[at], expected.patches)
        np.testing.assert_array_equal(found.measured, expected.measured)
        assert found.mpp == 2.0


def test_own_sections_train_by_name_number_and_patient(own, tmp_path, genes):
    sections = find_sections(own)
    patients = {s.name: s.patient for s in sections}
    names = list(patients)
    assert resolve_fold("tumour 2", names, patients) == (["tumour 2"], ["tumour 1", "tumour 3"])
    assert resolve_fold(1, names, patients) == resolve_fold("TUMOUR 2", names, patients)
    assert resolve_fold("p1", names, patients) == (["tumour 1", "tumour 2"], ["tumour 3"])
    with pytest.raises(DataError, match=r"0 \(tumour 1\), 1 \(tumour 2\)"):
        resolve_fold("C2", names, patients)
    settings = TrainSettings(epochs=1, batch_size=16, val_fraction=0.0, device="cpu")
    net = lambda n: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, n))  # noqa: E731
    result = run_to_end(train_steps(own, "P1", tmp_path / "run", settings, genes=genes, build_net=net))
    card = json.loads((result.model_folder / "card.json").read_text())
    assert card["name"] == "tcgn-tiny-mine-without-P1"
    assert card["training"]["data"] == "sections of one's own (mine)"
    assert "her2st" not in json.dumps(card["citation"]).lower()
    assert card["metrics"]["protocol"].startswith("tumour 1, tumour 2 held out (patient held out)")


@pytest.mark.parametrize("version", [1, 2])
def test_hexagonal_array_of_both_space_rangers(tmp_path, version):
    from PIL import Image

    row, col = np.divmod(np.arange(60), 6)
    col = 2 * col + row % 2  # as on a Visium slide
    x, y = 200 + col * 50.0, 200 + row * 50 * 3**0.5  # 100 µm at 1 µm per px
    values = np.random.default_rng(0).poisson(5, (60, 3))
    barcodes = [f"BC{i}-1" for i in range(60)]
    write_visium(tmp_path / "V", version, barcodes, ["A", "B", "A"], values, row, col, x, y)
    picture = np.full((1300, 1000, 3), 245, np.uint8)
    picture[100:1200, 100:900] = (150, 80, 150)
    Image.fromarray(picture).save(tmp_path / "V.png")
    manifest = tmp_path / "sections.csv"
    manifest.write_text("section,patient,image,counts,mpp\nV,P,V.png,V,1.0\n")
    loaded = load_section(find_sections(tmp_path)[0], ["B", "A"])
    assert loaded.spots.layout == "visium"
    assert loaded.spots.pitch_um == 100
    np.testing.assert_array_equal(loaded.counts, np.stack([values[:, 1], values[:, 0] + values[:, 2]], 1))
    np.testing.assert_allclose(loaded.spots.y, y)
    manifest.write_text("section,patient,image,counts,mpp\nV,P,V.png,V,0.5\n")
    with pytest.raises(DataError, match="its spots are 100"):
        load_section(find_sections(tmp_path)[0], ["B", "A"])
    positions = next((tmp_path / "V" / "spatial").glob("*.csv"))
    positions.write_text(positions.read_text().replace("BC7-1", "XX7-1"))
    with pytest.raises(DataError, match=r"1 of 60 barcodes .* no position .*BC7-1"):
        load_section(find_sections(tmp_path)[0], ["B", "A"])
    positions.write_text("barcode,1,2\n")
    with pytest.raises(SpotsError, match="cannot be read"):
        load_section(find_sections(tmp_path)[0], ["B", "A"])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("section,patient,image\na,b,c\n", "lacks"),
        ("section,patient,image,counts,colour\na,b,c,d,e\n", "unknown columns"),
        ("section,patient,image,counts\n", "no rows"),
        ("section,patient,image,counts\na,P,B1.jpg,nothing.h5ad\n", "does not exist"),
        ("section,patient,image,counts\na,,B1.jpg,B1.h5ad\n", "empty entry"),
        ("section,patient,image,counts\na,P,B1.jpg,B1.h5ad\na,P,B1.jpg,B1.h5ad\n", "twice"),
        ("section,patient,image,counts\nP,Q,B1.jpg,B1.h5ad\nb,P,B1.jpg,B1.h5ad\n", "Name them apart"),
        ("section,patient,image,counts,mpp\na,P,B1.jpg,B1.h5ad,-2\n", "mpp of section a is '-2'"),
        ("section,patient,image,counts,mpp\na,P,B1.jpg,B2.tsv.gz,2\n", "no spot table"),
        ("section,patient,image,counts,mpp\na,P,B1.jpg,.,2\n", "no Visium folder"),
    ],
)
def test_tables_that_are_wrong(own, genes, table, said):
    (own / "sections.csv").write_text(table)
    with pytest.raises(DataError, match=said):
        load_section(find_sections(own)[0], genes)


def test_pitch_of_another_legacy_array(own, genes):
    (own / "sections.csv").write_text(
        "section,patient,image,counts,spots,mpp,pitch_um,diameter_um\na,P,B2.jpg,B2.tsv.gz,B2_spots.tsv,1.5,150,110\n"
    )
    spots = load_section(find_sections(own)[0], genes).spots
    assert (spots.pitch_um, spots.diameter_um) == (150, 110)


def test_values_that_are_no_raw_counts(own, genes):
    adata = anndata.read_h5ad(own / "B1.h5ad")
    section = find_sections(own)[0]
    logged = adata.copy()
    logged.X = np.log1p(adata.X.toarray())
    logged.write_h5ad(own / "B1.h5ad")
    with pytest.raises(DataError, match=r"Section tumour 1: .*they look log-transformed, not counted"):
        load_section(section, genes)
    del adata.obsm["spatial"], adata.obs["array_row"]
    adata.write_h5ad(own / "B1.h5ad")
    with pytest.raises(DataError, match=r"lacks obs\['array_row'\] and obsm\['spatial'\]"):
        load_section(section, genes)
    (own / "B1.h5ad").write_text("no HDF5")
    with pytest.raises(DataError, match=r"is not an \.h5ad file"):
        load_section(section, genes)


def test_real_visium_folder_is_read_and_lacks_the_panel(real_data, tmp_path):
    """The version 1 folder has Ensembl ids only, and no full-resolution image."""
    folder = real_data / "visium_v1_tiny"
    (tmp_path / "sections.csv").write_text(
        f"section,patient,image,counts,mpp\nheart,P,{folder}/spatial/tissue_lowres_image.png,{folder},0.6\n"
    )
    with pytest.raises(DataError, match="none of the 2 genes"):
        load_section(find_sections(tmp_path)[0], ["GNAS", "FASN"])


@pytest.mark.slow
def test_real_section_as_h5ad_equals_its_tables(real_data, tmp_path):
    section = next(s for s in find_sections(real_data / "her2st") if s.name == "C2")
    as_h5ad(read_st_counts(section.counts), read_st_spots(section.spots), tmp_path / "C2.h5ad")
    (tmp_path / "sections.csv").write_text(
        f"section,patient,image,counts,mpp,pitch_um\nC2,C,{section.image},C2.h5ad,0.688,200\n"
    )
    panel = ["GNAS", "FASN", "ACTG1"]
    found, expected = load_section(find_sections(tmp_path)[0], panel), load_section(section, panel)
    np.testing.assert_array_equal(found.target, expected.target)
    np.testing.assert_array_equal(found.patches, expected.patches)
