"""The command line `napari-tcgn` (its commands: cli/app.py), which parses, calls and prints, nothing else."""

from napari_tcgn.cli.app import main

__all__ = ["main"]
