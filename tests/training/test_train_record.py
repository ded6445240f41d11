"""run.json: one layout, written from and read into one typed record."""

import json
from dataclasses import replace

import pytest

from napari_tcgn.errors import OutputError
from napari_tcgn.options import TrainSettings
from napari_tcgn.training.fit.run_folder import RunFolder
from napari_tcgn.training.fit.run_record import (
    CacheRecord,
    Outcome,
    PanelDigest,
    RunIdentity,
    SpotCounts,
    TrainingRecord,
)
from support.runs import FAST, finish, start

IDENTITY = RunIdentity(
    settings=replace(FAST, residual="colour-texture"),
    held_out=["B1"],
    training=["C1"],
    panel=PanelDigest.of(["A", "B"]),
)


def test_the_record_of_a_run_is_read_as_it_was_written(dataset, tmp_path, genes):
    _, result = finish(start(dataset, tmp_path / "run", genes, cache=tmp_path / "cache"))
    written = json.loads((tmp_path / "run" / "run.json").read_text())
    record = TrainingRecord.from_record(written)
    assert record.to_record() == written
    assert list(record.to_record()) == list(written)
    assert record.other == {}
    assert record.identity.settings == replace(FAST, device=TrainSettings().device)
    assert record.spots.test == record.data["B1"].spots == 48
    assert record.data["B2"].genes_missing == ["GENE9"]
    assert record.patch_cache == CacheRecord(read=0, written=3)
    assert record.result == Outcome(
        ["B1"], result.best_epoch, 48, result.test_loss, result.test_median_pcc, record.result.protocol
    )


def test_names_on_disk_are_those_of_before():
    written = TrainingRecord(identity=IDENTITY, spots=SpotCounts(5, 1, 2, 3)).to_record()
    assert written["format"] == "napari-tcgn training run 1"
    assert written["spots"] == {"train": 5, "validation": 1, "test": 2, "left out for few counts": 3}
    assert "device" not in written["identity"]["settings"]
    assert not {"resumed", "finished", "result"} & set(written)


def test_identities_of_runs_differ_in_what_changes_the_result():
    assert IDENTITY.differences(replace(IDENTITY, settings=replace(IDENTITY.settings, device="cuda"))) == []
    other = replace(IDENTITY, settings=replace(IDENTITY.settings, epochs=9), held_out=["B2"])
    assert IDENTITY.differences(other) == ["held_out was ['B1'], now ['B2']", "settings.epochs was 3, now 9"]
    newer = json.loads(json.dumps(IDENTITY.to_record()))
    newer["settings"]["unheard_of"] = 1
    assert RunIdentity.from_record(newer).differences(IDENTITY) == ["settings.unheard_of was 1, now None"]


def test_a_record_of_another_version_keeps_what_this_one_does_not_know():
    written = TrainingRecord(identity=IDENTITY, started="then").to_record() | {"weather": "fine"}
    record = TrainingRecord.from_record(written)
    assert record.to_record() == written
    later = TrainingRecord(identity=IDENTITY, started="now", device="cpu").continuing(record)
    assert (later.started, later.resumed, later.device, later.other) == ("then", ["now"], "cpu", {"weather": "fine"})


def test_a_damaged_record_says_so(tmp_path):
    text = json.dumps({"format": "napari-tcgn training run 1", "identity": [], "data": {"B1": 3}})
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError, match=r"run\.json: identity: is \[\]"):
        RunFolder(tmp_path).check(resume=True)
