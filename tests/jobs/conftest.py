"""The quick model that jobs name."""

from support.colours import colour_model  # noqa: F401
