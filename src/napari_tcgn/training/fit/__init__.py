"""How a network is fitted: the loop, its loss, checkpoints, recipes and the record of a run."""
