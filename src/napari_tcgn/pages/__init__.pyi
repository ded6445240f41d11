from .render import Picture as Picture, render_page as render_page
