"""`napari-tcgn demo`: the sample section from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pytest
from PIL import Image

from napari_tcgn.cli.demo import most_trusted
from napari_tcgn.model import registry
from napari_tcgn.options import PredictSettings
from napari_tcgn.sample import sample_section


@pytest.fixture
def only_colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, colour_model) -> None:
    """The colour model under the name of the bundled one: these tests are about the command, not the network."""
    monkeypatch.setattr(registry, "BUNDLED", tmp_path / "none")
    monkeypatch.setattr(registry, "user_models_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(registry, "_from_packages", lambda: {PredictSettings().model: colour_model()})


@pytest.mark.usefixtures("only_colours")
def test_writes_result_and_picture_and_says_what_next(run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "demo"
    code, said, err = run("demo", "--out", out, "--device", "cpu")
    assert code == 0, err
    adata = anndata.read_h5ad(out / "prediction.h5ad")
    measured = anndata.read_h5ad(sample_section().measured)
    assert sorted(adata.obs_names) == sorted(measured.obs_names)
    assert 60 < adata.X.mean() < 250  # colours of stained tissue
    with Image.open(out / "genes.png") as picture:
        assert picture.width > picture.height > 300  # four panels in a row
        assert np.asarray(picture.convert("L")).std() > 20
    assert sorted(path.name for path in out.iterdir()) == ["genes.png", "prediction.h5ad"]
    assert "What next" in said
    assert "drawn, not real tissue" in said


@pytest.mark.usefixtures("only_colours")
@pytest.mark.parametrize("name", ["prediction.h5ad", "genes.png"])
def test_keeps_earlier_results_unless_told(run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    code, _, err = run("demo", "--out", tmp_path)
    assert code == 1
    assert "exists already" in err
    assert "predict:" not in err
    assert [path.read_text() for path in tmp_path.iterdir() if path.is_file()] == ["precious"]
    assert run("demo", "--out", tmp_path, "--overwrite")[0] == 0


@pytest.mark.usefixtures("only_colours")
@pytest.mark.parametrize("below", ["", "/sub"])
def test_a_file_where_the_folder_should_be(run, tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("precious")
    code, _, err = run("demo", "--out", f"{tmp_path / 'taken'}{below}")
    assert code == 1
    assert "is a file, not a folder" in err
    assert "predict:" not in err
    assert (tmp_path / "taken").read_text() == "precious"


@pytest.mark.parametrize(
    ("pcc", "genes"),
    [
        ([0.1, np.nan, 0.5, 0.3], ["C", "D"]),
        ([np.nan] * 4, ["B", "A"]),  # unknown: those that vary most
    ],
)
def test_shows_the_genes_that_deserve_most_trust(pcc: list[float], genes: list[str]) -> None:
    import pandas as pd

    values = np.array([[0, 0, 1, 1], [2, 4, 1, 1]], np.float32)
    adata = anndata.AnnData(values, var=pd.DataFrame({"held_out_pcc": pcc}, index=list("ABCD")))
    assert most_trusted(adata, 2) == genes


@pytest.mark.slow
def test_with_the_bundled_model(run, tmp_path: Path) -> None:
    assert any(registry.BUNDLED.glob("*/card.json")), "no model is bundled"
    code, said, err = run("demo", "--out", tmp_path, "--device", "cpu")
    assert code == 0, err
    adata = anndata.read_h5ad(tmp_path / "prediction.h5ad")
    assert adata.shape == (79, 8373)
    assert np.isfinite(adata.X).all()
    assert (adata.X.std(axis=0) > 0).all()  # every gene follows the picture somehow
    assert json.loads(adata.uns["napari_tcgn"]["run_record"])["model"]["name"] == PredictSettings().model
    assert "8373 genes at 79 spots" in said
