from .render import Picture as Picture, figure_bytes as figure_bytes, render_page as render_page
