"""The command line `napari-tcgn` (its commands: cli/app.py). Parses, calls, prints; nothing else."""

from napari_tcgn.cli.app import main

__all__ = ["main"]
