"""Slides, spots and results as napari layers, and what is remembered of each layer."""
