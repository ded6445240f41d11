"""`napari-tcgn explain` and `explain-gene`: what they write, and what they refuse in a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from anndata import read_h5ad

MPP = ("--mpp", "2")  # what the array of the drawn section implies: patches of 20 px


@pytest.fixture
def explain(run, section, colour_model, tmp_path):
    def call(*more: object, spot: str = "2x2", gene: str = "RED", slide: object = None):
        where = [slide or section.image, *MPP, "--spots", section.spots, "--out", tmp_path / "why"]
        return run("explain", *where, "--spot", spot, "--gene", gene, "--model", "colours", *more)

    return call


def test_a_figure_arrays_and_a_record_are_written(explain, tmp_path) -> None:
    code, out, err = explain("--window-um", "10")
    assert code == 0, err
    assert "RED at spot 2x2 of T1" in out
    assert "colours is no TCGN: it is explained by occlusion only." in out
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == [
        "explanation.json", "explanation.npz", "explanation.png", "explanation.svg",
    ]  # fmt: skip
    record = json.loads((tmp_path / "why/explanation.json").read_text(encoding="utf-8"))
    arrays = np.load(tmp_path / "why/explanation.npz")
    assert record["prediction"] == pytest.approx(arrays["patch"][..., 0].mean(), abs=0.01)
    assert arrays["map_occlusion"].shape == (4, 4)
    assert record["maps"][0]["array"] == "map_occlusion"
    assert record["maps"][0]["side_um"] == 10
    both = (arrays["fill_mean_colour"] + arrays["fill_blur"]) / 2
    assert arrays["map_occlusion"] == pytest.approx(both, abs=1e-5)
    assert "<svg" in (tmp_path / "why/explanation.svg").read_text(encoding="utf-8")


def test_the_command_in_the_record_makes_the_same_again(explain, run, tmp_path) -> None:
    import shlex

    explain("--window-um", "10")
    before = np.load(tmp_path / "why/explanation.npz")["map_occlusion"]
    command = json.loads((tmp_path / "why/explanation.json").read_text(encoding="utf-8"))["command"]
    code, _, err = run(*shlex.split(command)[1:], "--overwrite")
    assert code == 0, err
    assert (np.load(tmp_path / "why/explanation.npz")["map_occlusion"] == before).all()


def test_a_map_that_fails_its_check_says_so(explain, tmp_path) -> None:
    # Squares of one colour: no window speaks for anything.
    code, out, _ = explain("--window-um", "10", "--check", "--random-orders", "2")
    assert code == 0
    assert "FAILED: deletion (occlusion)" in out
    assert "Do not rely on the map of occlusion here: it failed a check." in out
    record = json.loads((tmp_path / "why/explanation.json").read_text(encoding="utf-8"))
    assert "deletion" in record["maps"][0]["failed"]


def test_json_is_the_record(explain) -> None:
    code, out, _ = explain("--json")
    assert code == 0
    assert json.loads(out)["gene"] == "RED"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"spot": "9x9"}, "There is no spot '9x9' among the 9 spots."),
        ({"gene": "PINK"}, "Gene 'PINK' is not among the 3 genes of model 'colours'."),
        ({"slide": "gone.tif"}, "gone.tif"),
    ],
)
def test_bad_input_is_a_sentence_and_nothing_is_written(explain, tmp_path, given, said) -> None:
    code, _, err = explain(**given)
    assert code == 1
    assert said in err
    assert "bug" not in err
    assert not (tmp_path / "why").exists()


def test_what_is_there_is_not_replaced_unasked(explain, tmp_path) -> None:
    assert explain("--window-um", "20")[0] == 0
    code, _, err = explain("--window-um", "20")
    assert code == 1
    assert "exists already" in err
    assert explain("--window-um", "20", "--overwrite")[0] == 0


@pytest.fixture
def predicted(run, sections, colour_model, tmp_path):
    """A slide, and what a model has predicted of it."""
    image, result = sections / "ST-imgs/C/C2/HE.png", tmp_path / "C2.h5ad"
    spots = sections / "ST-spotfiles/C2_selection.tsv"
    code, _, err = run("predict", image, *MPP, "--spots", spots, "--model", "colours", "--out", result)
    assert code == 0, err
    return image, result


def test_a_gene_over_a_result(run, predicted, tmp_path) -> None:
    image, result = predicted
    code, out, err = run("explain-gene", result, image, "--gene", "RED", "--out", tmp_path / "red")
    assert code == 0, err
    assert "25 spots, squares of 40 µm" in out
    record = json.loads((tmp_path / "red/gene.json").read_text(encoding="utf-8"))
    values = read_h5ad(result).to_df()["RED"]
    assert record["highest"][0]["spot"] == values.idxmax()
    assert record["lowest"][0]["spot"] == values.idxmin()
    assert len(record["highest"]) == 12
    table = (tmp_path / "red/morphology.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "feature,unit,rho,p,q"
    assert len(table) == 9
    assert len((tmp_path / "red/spots.csv").read_text(encoding="utf-8").splitlines()) == 26
    code, _, err = run("explain-gene", result, image, "--gene", "PINK", "--out", tmp_path / "pink")
    assert code == 1
    assert "Gene 'PINK' is not among the 3 genes of the result." in err


def test_the_page_of_a_gene_holds_explained_spots_with_the_outcome_of_their_checks(run, predicted, tmp_path) -> None:
    image, result = predicted
    adata = read_h5ad(result)
    lowest = adata.obs_names[int(np.argmin(adata.to_df()["RED"]))]
    adata.X[adata.obs_names.get_loc(lowest), list(adata.var_names).index("RED")] -= 50  # what the model never said
    adata.write_h5ad(result)
    given = ("--gene", "RED", "--explained", "1", "--random-orders", "2", "--out", tmp_path / "red")
    code, out, err = run("explain-gene", result, image, *given)
    assert code == 0, err
    record = json.loads((tmp_path / "red/gene.json").read_text(encoding="utf-8"))
    highest = record["highest"][0]["spot"]
    assert [one["spot"] for one in record["explained"]] == [highest, lowest]
    assert record["command"].count("--explained 1 --random-orders 2") == 1
    page = (tmp_path / "red/report.html").read_text(encoding="utf-8")
    assert f"RED at spot {highest}: " in page
    assert f"RED at spot {lowest}: " in page
    assert page.count('src="data:image/png') == 3, "the gallery, and two explained spots"
    for one in record["explained"]:
        assert [check["name"] for check in one["checks"]] == ["agreement of the fills", "deletion", "insertion"]
        # The drawn spots are of one colour: no map can pass.
        assert "deletion" in one["maps"][0]["failed"]
    assert page.count("Do not rely on the map of occlusion here: it failed a check.") == 2
    assert ">FAILED<" in page
    assert page.count("<p>The result has ") == 1, "of the value that was changed"
    assert "Do not rely on the map of occlusion" in out


def test_what_no_model_has_predicted_is_not_explained(run, predicted, tmp_path) -> None:
    image, result = predicted
    adata = read_h5ad(result)
    del adata.uns["napari_tcgn"]
    adata.write_h5ad(result)
    given = ("--mpp", "2", "--gene", "RED", "--out", tmp_path / "red")
    code, _, err = run("explain-gene", result, image, *given, "--explained", "1")
    assert code == 1
    assert "Only what a model has predicted can be explained" in err
    assert not (tmp_path / "red").exists()
    assert run("explain-gene", result, image, *given)[0] == 0
    page = (tmp_path / "red/report.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png') == 1, "the gallery"


def test_two_genes_are_compared(explain, tmp_path) -> None:
    code, out, err = explain("--window-um", "10", "--beside", "GREEN")
    assert code == 0, err
    assert "The maps of RED and GREEN at spot 2x2 correlate by" in out
    first, second = (
        json.loads((tmp_path / folder / "explanation.json").read_text(encoding="utf-8"))
        for folder in ("why", "why/beside")
    )
    assert (first["gene"], second["gene"]) == ("RED", "GREEN")
    assert "--gene RED --beside GREEN" in first["command"]
    code, _, err = explain("--window-um", "10", "--beside", "RED", "--overwrite")
    assert code == 1
    assert "RED and RED are one gene." in err


def test_the_maps_of_a_section_go_into_the_result(run, tmp_path) -> None:
    import napari_tcgn
    from napari_tcgn.explanation import attribution_in
    from napari_tcgn.sample import sample_folder

    image, spots = sample_folder() / "section.ome.tif", sample_folder() / "section_selection.tsv"
    with_slide = napari_tcgn.open_slide(image)
    few = napari_tcgn.read_st_spots(spots).select(np.arange(79) < 2)
    for model in ("tcgn-tiny-her2st", "haematoxylin-her2st"):
        napari_tcgn.write_h5ad(napari_tcgn.predict(with_slide, few, model), tmp_path / f"{model}.h5ad")
    with_slide.close()
    result, out = tmp_path / "tcgn-tiny-her2st.h5ad", tmp_path / "explained.h5ad"
    code, said, err = run("explain-section", result, image, "--out", out)
    assert code == 0, err
    assert "2 spots, 3 directions of 785 genes" in said
    adata = read_h5ad(out)
    found = attribution_in(adata)
    np.testing.assert_array_equal(adata.X, read_h5ad(result).X)
    assert np.isfinite(found.stitched("CD74").values).any()
    code, _, err = run("explain-section", tmp_path / "haematoxylin-her2st.h5ad", image, "--out", tmp_path / "no.h5ad")
    assert code == 1
    assert "only a TCGN can be explained over a whole section" in err
    assert not (tmp_path / "no.h5ad").exists()
    code, _, err = run("explain-section", result, image, "--out", result, "--overwrite")
    assert code == 1
    assert "which is read" in err
