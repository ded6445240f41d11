"""The model does what napari-tcgn asks of every model."""

from napari_tcgn.hub import check_model, require_usable
from napari_tcgn.model import list_models


def test_it_is_found_and_passes() -> None:
    """Found by its name, and nothing fails."""
    assert "redness-example" in {card.name for card in list_models()}
    found = check_model("redness-example")
    require_usable(found)
    assert {one.name: one.outcome for one in found.findings}["batches"] == "passed"
