"""Predict spatial gene expression from H&E slides with TCGN, in napari and on the command line.

The public names stand in __init__.pyi. Each is imported when it is first used, so that `import napari_tcgn` costs next
to nothing: napari imports every plugin at its start.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __dir__() -> list[str]:
    return __all__.copy()  # lazy_loader's own lacks the version
