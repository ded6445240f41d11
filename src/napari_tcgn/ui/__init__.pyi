from .dock import make_dock as make_dock
