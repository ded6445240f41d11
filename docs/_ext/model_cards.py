"""Writes a page of the bundled models from their cards."""

from __future__ import annotations

from typing import Any

from made_pages import write_api_page


def write_page(app: Any, _config: Any) -> None:
    """Write docs/api/model_cards.md."""
    from napari_tcgn import list_models

    lines = ["# Bundled models", "", "As their cards say; `napari-tcgn models info NAME` shows the same.", ""]
    for card in list_models():
        figures = card.metrics
        rows = {
            "Tissue": ", ".join(part for part in (card.organism, card.tissue) if part),
            "Genes": str(len(card.genes)),
            "Patch": f"{card.patch_um:g} µm",
            "Output": f"`{card.output_scale}`",
            "Median PCC, held out": _with_interval(figures.median_pcc, figures.median_pcc_interval),
            "Depth taken out": _with_interval(figures.median_depth_pcc, figures.median_depth_pcc_interval),
            "Protocol": figures.protocol,
            "Trained on": str(card.training.get("data", "")),
            "Licence": card.licence,
            "Cite": card.citation,
            "Mind": " ".join(card.caveats),
        }
        lines += [f"## {card.name} {card.version}", "", "| | |", "| --- | --- |"]
        lines += [f"| {name} | {text} |" for name, text in rows.items() if text]
        lines += [""]
    text = "\n".join(lines)
    write_api_page(app, "model_cards.md", text)


def _with_interval(median: float | None, interval: tuple[float, float] | None) -> str:
    if median is None:
        return "not evaluated"
    return f"{median:.3f}" + ("" if interval is None else f" (95 % {interval[0]:.3f} to {interval[1]:.3f})")


def setup(app: Any) -> dict[str, bool]:
    """Connect to the build."""
    app.connect("config-inited", write_page)  # before the pages are looked for
    return {"parallel_read_safe": True}
