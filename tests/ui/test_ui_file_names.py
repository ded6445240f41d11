"""Names that the dock suggests for files: every system takes them, whatever a section is called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_tcgn.paths import fault_on_windows


@pytest.mark.parametrize("section", ["C2", "day 1: C2?", 'a/b\\c"d', "con.1", "a|b*<c>"])
@pytest.mark.parametrize("suffix", [".h5ad", ".zarr", ".csv"])
def test_suggested_names(section: str, suffix: str) -> None:
    from napari_tcgn.ui.actions.repeating import result_name

    result = SimpleNamespace(library_id=section, card=None, kind="predicted", partial=False)
    name = result_name(result, suffix)
    assert fault_on_windows(name) == ""
    assert name.endswith(f"_predicted{suffix}")
    assert " " not in name
