"""The drawn section that these tests share."""

from support.drawn_section import (  # noqa: F401
    make_pair,
    pixels,
    prediction,
    predictor,
    slide,
    spots,
)
