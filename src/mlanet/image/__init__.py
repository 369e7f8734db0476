"""Pictures: reading and writing, crops, drawing. No networks, no faces' shapes."""

from mlanet.image.crop import (
    SQUARE_PER_LANDMARKS,
    Crop,
    crop_square,
    invert_transform,
    square_from_landmarks,
    square_transform,
    transform_points,
)
from mlanet.image.draw import (
    blend,
    draw_box,
    draw_circles,
    draw_landmarks,
    draw_points,
    draw_polygon,
    draw_polylines,
)
from mlanet.image.limits import MAX_PIXELS, MIN_SIDE_PX
from mlanet.image.read import ImageSource, check_image, read_image
from mlanet.image.write import write_image

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "SQUARE_PER_LANDMARKS",
    "Crop",
    "ImageSource",
    "blend",
    "check_image",
    "crop_square",
    "draw_box",
    "draw_circles",
    "draw_landmarks",
    "draw_points",
    "draw_polygon",
    "draw_polylines",
    "invert_transform",
    "read_image",
    "square_from_landmarks",
    "square_transform",
    "transform_points",
    "write_image",
]
