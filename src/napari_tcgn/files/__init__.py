"""Files of others are read without trust, and results are written whole or not at all."""

import lazy_loader

# What others may import stands in __init__.pyi; each name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
