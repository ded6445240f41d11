"""What a model is trained on: sections with measured counts, folds, gene panels and patches."""
