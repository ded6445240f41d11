"""Everything that imports napari and Qt: the dock, its commands, and napari's readers, writers and sample data."""

import lazy_loader

# What others may import stands in __init__.pyi; napari.yaml names the readers, writers and commands by their files.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
