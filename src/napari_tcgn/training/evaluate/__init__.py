"""How good a way of training is: cross-validation beside simple models, and its report."""
