"""`napari-tcgn models`: which models there are, and what their cards say."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_tcgn.cli import options
from napari_tcgn.cli.console import say_json

if TYPE_CHECKING:
    from napari_tcgn.model import ModelCard

models_app = typer.Typer(no_args_is_help=True, help="List models, or show the card of one.")


@models_app.command("list")
def list_all(json: options.Json = False) -> None:
    """List the models that can be used by name.

    \b
    Example:
      napari-tcgn models list
    """
    from napari_tcgn.model import left_out, list_models, skill_of

    cards = list_models()
    for error in left_out():
        typer.echo(f"Warning: {error}", err=True)
    if json:
        say_json([_short(card) for card in cards])
        return
    if not cards:
        typer.echo("No model is installed; --model takes the folder of one.")
    for card in cards:
        tissue = card.tissue or "tissue not stated"
        typer.echo(f"{card.name} {card.version}: {tissue}, {len(card.genes)} genes, {skill_of(card)}")


@models_app.command("info")
def info(
    name: Annotated[str, typer.Argument(help="Name of a model, or path of a model folder or checkpoint.")],
    json: options.Json = False,
) -> None:
    """Show what a model's card says: data, patch size, scale, held-out accuracy, licence.

    \b
    Example:
      napari-tcgn models info tcgn-tiny-her2st
    """
    from napari_tcgn.model import read_card

    card = read_card(name)
    if json:
        say_json(json_text.loads(card.to_json()), indent=1)
    else:
        typer.echo(card_text(card))
        told = card.metrics.intervals
        if told is not None and Path(name).is_dir() and not (Path(name) / told.file).is_file():
            typer.echo(f"Note: {told.file} is not in this folder: predictions of this model have no intervals.")


def _short(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "version": card.version,
        "tissue": card.tissue,
        "genes": len(card.genes),
        "patch_um": card.patch_um,
        "median_pcc": card.metrics.median_pcc,
        "licence": card.licence,
    }


def card_text(card: ModelCard) -> str:
    """Say a card in lines; what it does not state is left out."""
    from napari_tcgn.model import describe

    lines = describe(card)
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name + ':':<{width}}{text}" for name, text in lines.items())
