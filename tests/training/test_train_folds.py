import pytest

from napari_tcgn.errors import DataError
from napari_tcgn.training.data.folds import HER2ST_SECTIONS, fold_name, resolve_fold
from napari_tcgn.training.data.study_folder import StudyFolder


def test_canonical_list_is_the_published_one():
    assert len(HER2ST_SECTIONS) == 32
    assert list(HER2ST_SECTIONS) == sorted(HER2ST_SECTIONS)
    # first section of every patient and its fold number, from the published numbering
    starts = {0: "A2", 5: "B1", 11: "C1", 17: "D1", 23: "E1", 26: "F1", 29: "G1", 31: "G3"}
    assert {i: HER2ST_SECTIONS[i] for i in starts} == starts
    assert not {"A1", "H1", "H2", "H3"} & set(HER2ST_SECTIONS)


@pytest.mark.parametrize("fold", ["C2", "c2", " C2 ", 12, "12"])
def test_number_and_name_give_the_same_fold(fold):
    assert resolve_fold(fold, ["C5", "C2", "B4", "C3"]) == (["C2"], ["B4", "C3", "C5"])


def test_sections_outside_the_list_do_not_train():
    assert resolve_fold(0, {"A1", "A2", "H1", "G3"}) == (["A2"], ["G3"])


def test_all_others_train():
    held_out, training = resolve_fold(31, HER2ST_SECTIONS)
    assert held_out == ["G3"]
    assert training == list(HER2ST_SECTIONS[:31])


@pytest.mark.parametrize("fold", [0, "A2", 32, "32", "-1", "A1", "nonsense", ""])
def test_impossible_fold_is_refused_with_the_possible_ones(fold):
    with pytest.raises(DataError, match=r"8 \(B4\), 12 \(C2\)"):
        resolve_fold(fold, ["C2", "B4"])


@pytest.mark.parametrize("fold", ["C", "c"])
def test_a_patient_is_held_out_with_all_sections(fold):
    assert resolve_fold(fold, ["C5", "B4", "C2", "A1"]) == (["C2", "C5"], ["B4"])
    assert fold_name(["C2", "C5"]) == "C"
    assert fold_name(["C2"]) == "C2"
    assert fold_name([]) == "none"
    with pytest.raises(DataError, match="No section of patient D"):
        resolve_fold("D", ["C5", "B4"])
    with pytest.raises(DataError, match="nothing but patient C"):
        resolve_fold(fold, ["C5", "C2"])


def test_nothing_left_to_train_on():
    with pytest.raises(DataError, match="nothing but section C2"):
        resolve_fold("C2", ["C2", "H1"])


def test_no_known_section():
    with pytest.raises(DataError, match="none"):
        resolve_fold(0, ["mine"])


def test_folds_need_no_torch():
    import subprocess
    import sys

    code = "import sys; from napari_tcgn.training import resolve_fold; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_study_folder_divides_its_sections_by_name_and_patient(dataset):
    folder = StudyFolder.open(dataset)
    assert list(folder.sections) == ["B1", "B2", "C1"]
    one, patient, nothing = (folder.fold(name) for name in ("B2", "b", "none"))
    assert (one.label, one.held_out_names, one.training_names) == ("B2", ["B2"], ["B1", "C1"])
    assert (patient.label, patient.held_out_names, patient.training_names) == ("B", ["B1", "B2"], ["C1"])
    assert (nothing.label, nothing.held_out, nothing.training_names) == ("none", [], ["B1", "B2", "C1"])
    assert one.held_out[0] is folder.sections["B2"]
