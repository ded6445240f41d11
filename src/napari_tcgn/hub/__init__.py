"""Models that come from elsewhere and go elsewhere: the index, fetching, packing, and trying a stranger's model."""

import lazy_loader

# The .pyi beside this file names what others may import; each name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
