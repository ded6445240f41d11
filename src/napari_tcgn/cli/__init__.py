"""The command line: `napari-tcgn demo | predict | train | models | doctor`. Parses, calls, prints; nothing else."""

from napari_tcgn.cli.app import main

__all__ = ["main"]
