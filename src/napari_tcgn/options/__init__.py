"""Every setting of a run, declared once; flags, forms, recipes, records and docs/options.md are made of it."""

import lazy_loader

# Inputs and outputs (files, folders, what to hold out) are parameters of their command.
# What others may import stands in __init__.pyi; each name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
