"""Starting from other weights: what fits is taken and counted, what does not is named."""

import json
from dataclasses import replace

import pytest
import torch

from napari_tcgn.engine import run_to_end
from napari_tcgn.errors import CheckpointError, OutputError
from napari_tcgn.model import TCGN, ModelCard
from napari_tcgn.model.weights import save_model
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.loop import train_steps
from napari_tcgn.training.fit.warm_start import warm_start

GRAPH_PARTS = ("gnn_block", "channel_attention", "head.")


@pytest.fixture(scope="module")
def donor():
    torch.manual_seed(3)
    return TCGN(6)


def fresh(genes: int = 4):
    torch.manual_seed(0)
    return TCGN(genes)


def trunk(net, **tables):
    """The part of a TCGN that a CMT has, as its checkpoints are nested."""
    state = {k: v.clone() for k, v in net.state_dict().items() if not k.startswith(GRAPH_PARTS)}
    return {"model": {**state, **tables}}


def test_cmt_weights_of_another_input_size_fill_the_trunk(tmp_path, donor):
    tables = {"relative_pos_a": torch.randn(1, 1600, 25), "relative_pos_b": torch.randn(2, 400, 25)}
    torch.save(trunk(donor, **tables, norm_of_its_own=torch.zeros(3)), tmp_path / "cmt.pth")
    net = fresh()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = warm_start(net, tmp_path / "cmt.pth", list("abcd"))
    after, theirs = net.state_dict(), donor.state_dict()
    assert found.loaded == 706, "all but GNN blocks, channel attention and head, of 994"
    assert len(found.fresh) == 994 - 706
    assert found.resized == ["relative_pos_a", "relative_pos_b"]
    assert found.unused == ["norm_of_its_own"]
    assert torch.equal(after["blocks_c.3.attn.q.weight"], theirs["blocks_c.3.attn.q.weight"])
    assert all(torch.equal(after[k], before[k]) for k in after if k.startswith(GRAPH_PARTS))
    assert "706 of 994 entries" in str(found)


def test_resized_tables_keep_what_is_smooth(tmp_path, donor):
    place = torch.linspace(0, 1, 41)[:-1] + 1 / 80  # pixel centres
    smooth = (place[:, None] + 2 * place).reshape(1, 1600, 1).expand(1, 1600, 25).contiguous()
    torch.save(trunk(donor, relative_pos_a=smooth), tmp_path / "cmt.pth")
    net = fresh()
    warm_start(net, tmp_path / "cmt.pth", list("abcd"))
    new = torch.linspace(0, 1, 57)[:-1] + 1 / 112
    expected = new[:, None] + 2 * new
    table = net.state_dict()["relative_pos_a"][0].view(56, 56, 49)
    assert (table[2:-2, 2:-2] - expected[2:-2, 2:-2, None]).abs().max() < 1e-3


def test_rows_of_shared_genes_are_found_by_name(tmp_path, donor):
    card = ModelCard("donor", "1", {"family": "tcgn", "size": "tiny"}, list("uvwxyz"), 77.0)
    save_model(tmp_path / "donor", donor.state_dict(), card)
    net = fresh()
    before = net.state_dict()["head.2.weight"].clone()
    found = warm_start(net, tmp_path / "donor", ["z", "new", "u", "other"])
    rows, theirs = net.state_dict()["head.2.weight"], donor.state_dict()["head.2.weight"].half().float()
    assert torch.equal(rows[0], theirs[5])
    assert torch.equal(rows[2], theirs[0])
    assert torch.equal(rows[1], before[1])
    assert found.genes == 2
    assert found.fresh == []


@pytest.mark.parametrize("content", [{"something": torch.zeros(3)}, {"model": {"other": torch.ones(2, 2)}}])
def test_weights_of_another_kind_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="Not one of the"):
        warm_start(fresh(), tmp_path / "x.pth", list("abcd"))
    with pytest.raises(CheckpointError):
        warm_start(fresh(), tmp_path, list("abcd"))


@pytest.mark.slow
def test_a_run_records_what_it_started_from_and_resumes_with_it_only(tmp_path, tiny_dataset, genes):
    card = ModelCard("donor", "1", {"family": "tcgn", "size": "tiny"}, genes, 77.0)
    torch.manual_seed(5)
    save_model(tmp_path / "donor", TCGN(len(genes)).state_dict(), card)
    settings = TrainSettings(epochs=1, batch_size=4, learning_rate=1e-12, val_fraction=0.0, device="cpu")
    out, told = tmp_path / "run", []
    run_to_end(
        train_steps(tiny_dataset, "B1", out, settings, genes=genes, mpp=2.0, init=tmp_path / "donor"), told.append
    )
    record = json.loads((out / "run.json").read_text())
    assert record["init"]["loaded"] == 994
    assert record["identity"]["init"] == record["init"]["sha256"]
    assert any("994 of 994 entries" in getattr(step, "stage", "") for step in told)
    from safetensors.torch import load_file

    kept, donor = load_file(out / "best-0001.safetensors"), load_file(tmp_path / "donor" / "model.safetensors")
    assert (kept["blocks_a.0.attn.q.weight"] - donor["blocks_a.0.attn.q.weight"].float()).abs().max() < 1e-6
    more = replace(settings, epochs=1)
    with pytest.raises(OutputError, match="init was"):
        run_to_end(train_steps(tiny_dataset, "B1", out, more, genes=genes, mpp=2.0, resume=True))
