"""Slides, spots and results as napari layers."""
