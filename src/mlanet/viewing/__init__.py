"""A head to turn in the browser: one page that holds everything and opens without a network."""

from mlanet.viewing.heads import MAX_GLB_BYTES, FilmView, PhotoView, ViewedHead, head_of_file
from mlanet.viewing.page import as_frame, view_page, write_page
from mlanet.viewing.reconstructions import (
    MAX_HEADS,
    Viewable,
    content_of,
    photo_view,
    write_view,
)

__all__ = [
    "MAX_GLB_BYTES",
    "MAX_HEADS",
    "FilmView",
    "PhotoView",
    "Viewable",
    "ViewedHead",
    "as_frame",
    "content_of",
    "head_of_file",
    "photo_view",
    "view_page",
    "write_page",
    "write_view",
]
