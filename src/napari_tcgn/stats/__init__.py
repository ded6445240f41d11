"""How well one map follows another, and how a map varies: functions of arrays, with no file and no AnnData."""

import lazy_loader

# What others may import stands in __init__.pyi; each name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
