"""The report of a comparison: one page that holds everything and says plainly what came out."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from napari_tcgn.comparison.pictures import domains_figure, maps_figure
from napari_tcgn.comparison.report import report, shown_genes, write_report
from napari_tcgn.comparison.steps import compare
from napari_tcgn.errors import OutputError
from napari_tcgn.expression import scale_counts
from napari_tcgn.options import CompareSettings


@pytest.fixture(scope="module")
def comparison(make_pair):
    sets = {"FIRST": ["GENE0", "GENE1", "GENE2"]}
    return compare(*make_pair(rows=18, cols=16, genes=30), CompareSettings(draws=60), gene_sets=sets)


@pytest.fixture(scope="module")
def html(comparison) -> str:
    return report(comparison)


class Reader(HTMLParser):
    """Collects text, and holds that every element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.text, self.sources = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.sources.append(dict(attributes)["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_else(html, comparison) -> None:
    page = Reader()
    page.feed(html)
    assert page.open == []
    assert len(page.sources) == 4, "section, maps, genes, domains"
    for source in page.sources:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert not re.search(r"""(src|href)=["']?(http|/)""", html)
    text = " ".join(page.text)
    assert "Research use only" in text
    for sentence in comparison.warnings:
        assert sentence in text
    assert all(gene in text for gene in comparison.genes.index), "all genes are on the page"
    assert "FIRST" in text
    assert '"panel_total_over"' in text, "what was matched with what"
    assert '"orientation"' in text


def text_of(html: str) -> str:
    page = Reader()
    page.feed(html)
    return " ".join(" ".join(page.text).split())


def test_words_say_what_the_figures_say(comparison, html) -> None:
    words = text_of(html)
    pcc = comparison.overall.medians["pcc"]
    assert f"PCC of {pcc.median:.3f} (95 % {pcc.low:.3f} to {pcc.high:.3f})" in words
    assert f"about {100 * pcc.median**2:.0f} %" in words
    assert "With it taken out" in words


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.01, 0.2, "does better"), (-0.2, -0.01, "does worse"), (-0.1, 0.1, "neither better nor")],
)
def test_a_lead_is_called_one_only_beyond_its_interval(comparison, low, high, says) -> None:
    table = comparison.baselines.copy()
    table.loc[1:, ["lead_low", "lead_high"]] = low, high
    assert says in text_of(report(replace(comparison, baselines=table)))


def test_spots_unlike_the_training_are_counted_where_it_is_known(comparison) -> None:
    assert "unlike the training" not in report(comparison)
    adata = comparison.adata.copy()
    usual = np.full(adata.n_obs, 0.5, np.float32)
    usual[np.flatnonzero(adata.obs["compare_matched"])[:9]] = 0.05
    usual[np.flatnonzero(adata.obs["compare_matched"])[-1]] = np.nan
    adata.obs["domain_p"] = usual
    n = int(adata.obs["compare_matched"].sum()) - 1
    said = text_of(report(replace(comparison, adata=adata)))
    assert f"9 of {n} spots ({100 * 9 / n:.0f} %) are unlike the training of the model, where about 5 % may be " in said


def test_the_best_genes_and_the_one_in_the_middle_are_shown(comparison) -> None:
    ranked = comparison.genes["depth_pcc"].sort_values(ascending=False)
    assert list(shown_genes(comparison)) == [*ranked.index[:3], ranked.index[15]]
    assert "rank 1 of 30" in shown_genes(comparison)[ranked.index[0]]


def test_both_maps_have_the_limits_of_the_measurement(comparison) -> None:
    gene = comparison.genes.index[0]
    figure = maps_figure(comparison, [gene], ["why"])
    measured, same, own = (axis.collections[0] for axis in figure.axes[:3])
    assert measured.get_clim() == same.get_clim() != own.get_clim()
    column = comparison.measured.var_names.get_loc(gene)
    np.testing.assert_allclose(measured.get_array(), comparison.measured.X[:, column])
    np.testing.assert_allclose(own.get_array(), comparison.predicted[:, column])


def test_paired_domains_have_the_same_colour(comparison) -> None:
    figure = domains_figure(comparison)
    colours = [axis.collections[0].get_facecolor() for axis in figure.axes[:2]]
    spots = comparison.adata.obs.loc[comparison.measured.obs_names]
    pair = comparison.niches.iloc[0]
    measured = (spots["compare_domain_measured"] == str(int(pair["domain"]))).to_numpy()
    predicted = (spots["compare_domain_predicted"] == str(int(pair["predicted_domain"]))).to_numpy()
    np.testing.assert_array_equal(colours[0][measured][0], colours[1][predicted][0])
    assert len(np.unique(colours[0][measured], axis=0)) == 1


def test_without_domains_and_depth(make_pair) -> None:
    predicted, measured = make_pair(rows=12, cols=10, genes=5)
    found = compare(predicted, measured, CompareSettings(domains=False, draws=20))
    assert domains_figure(found) is None
    assert "Spatial domains" not in report(found)
    measured.X = scale_counts(measured.X)
    scaled = compare(predicted, measured, CompareSettings(domains=False, draws=20, values="model-scale"))
    assert "depth_pcc" not in scaled.genes
    assert "by PCC" in next(iter(shown_genes(scaled).values()))
    assert "With it taken out" not in report(scaled)


def test_markup_in_names_stays_text(comparison) -> None:
    manifest = replace(comparison.manifest, slide="<script>x</script>")
    said = report(replace(comparison, manifest=manifest, warnings=["a < b & c"]))
    assert "<script>" not in said
    assert "a &lt; b &amp; c" in said


def test_an_existing_report_is_kept(comparison, tmp_path) -> None:
    write_report(comparison, tmp_path / "r.html")
    with pytest.raises(OutputError, match="exists already"):
        write_report(comparison, tmp_path / "r.html")
