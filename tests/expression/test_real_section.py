"""A real section from file to .h5ad with the real network (its weights are the golden ones: no trained model)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_tcgn.engine import cut_patch, run_to_end
from napari_tcgn.exports.section_figure import gene_figure
from napari_tcgn.expression import predict_steps, read_prediction, write_h5ad
from napari_tcgn.options import PredictSettings
from napari_tcgn.slide import open_slide
from napari_tcgn.spots import read_st_spots
from support.golden import REFERENCE


@pytest.mark.slow
def test_real_section_with_the_real_network(real_data: Path, tmp_path: Path) -> None:
    import torch

    from napari_tcgn.model.card import ModelCard
    from napari_tcgn.model.predictor import TCGNPredictor
    from support.golden_net import golden_net

    genes = [line.split(",")[1] for line in (REFERENCE / "genes_her2_785.csv").read_text().splitlines()[1:]]
    card = ModelCard(name="golden", version="1", architecture={"family": "tcgn"}, genes=genes, patch_um=77.056)
    predictor = TCGNPredictor(golden_net("tiny", torch.float32), card)

    her2st = real_data / "her2st/data"
    spots = read_st_spots(her2st / "ST-spotfiles/C2_selection.tsv")
    spots = spots.select(np.arange(0, len(spots), 12))  # 16 of them, all over the section
    slide = open_slide(her2st / "ST-imgs/C/C2/5714_HE_BT_C2.jpg", mpp=0.688)
    try:
        adata = run_to_end(predict_steps(slide, spots, predictor, PredictSettings(device="cpu", batch_size=5)))
        alone = [predictor.predict(cut_patch(slide, x, y, 112)[None]) for x, y in zip(spots.x, spots.y, strict=True)]
    finally:
        slide.close()
    np.testing.assert_allclose(adata.X, np.concatenate(alone), atol=5e-5)
    assert adata.X.std(axis=0).min() > 0, "every gene differs between spots"
    assert adata.uns["spatial"]["5714_HE_BT_C2"]["images"]["hires"].shape[0] <= 2000
    assert not adata.obs["patch_padded"].any()
    assert adata.obs["tissue_fraction"].between(0, 1).all()
    assert adata.obs["tissue_fraction"].mean() > 0.8

    write_h5ad(adata, tmp_path / "c2.h5ad")
    record = json.loads(read_prediction(tmp_path / "c2.h5ad").uns["napari_tcgn"]["run_record"])
    assert record["patch"]["side_px"] == 112
    assert record["spots"]["source"]["file"] == "C2_selection.tsv"
    gene_figure(adata, ["GNAS", "FASN"], tmp_path / "c2.png")
