"""The drawn section that these tests share."""

from support.drawn_section import *  # noqa: F403
