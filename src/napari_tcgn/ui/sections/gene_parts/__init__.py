"""Parts of the section Genes: the colour scale, and what folds away."""
