"""How a prediction is explained."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tcgn.options.declaration import check, option


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """How a prediction is explained; every field is declared with its meaning (docs/options.md)."""

    window_um: float | None = option(
        None,
        "Side of the windows that are covered in turn; by default a seventh of the patch.",
        more="A whole number of windows has to fit into the patch: the nearest such side is taken, and said. Of a "
        "model that looks at squares of several sizes the widest one is covered, by default in windows of a "
        "fourteenth.",
        unit="µm", above=0,
    )  # fmt: skip
    check: bool = option(
        False,
        "Test the maps: curves against random orders, random weights, agreement of the two fills.",
        more="Takes some hundred predictions.",
    )
    random_orders: int = option(20, "Random orders that the curves of --check compare with.", at_least=2)
    random_nets: int = option(2, "Networks with random weights that --check compares with.", at_least=1)
    seed: int = option(0, "Seed of everything random.")

    def __post_init__(self) -> None:
        check(self)
