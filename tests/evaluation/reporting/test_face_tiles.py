import numpy as np
import pytest

from mlanet.assets import verified_path
from mlanet.evaluation.reporting.face_tiles import GREY, TILE_PX, textured, turned
from mlanet.image import crop_square, read_image, square_from_landmarks
from mlanet.reconstructor import Reconstructor


@pytest.fixture(scope="module")
def face():
    photo = read_image(verified_path("example-image"))
    return Reconstructor.load()(photo, max_faces=1)[0]


def test_the_texture_is_the_photo_where_the_photo_shows_the_face(face):
    square = square_from_landmarks(face.landmarks_px[:, :2])
    drawn = textured(face, square).astype(float)
    photo = crop_square(face.image, square, TILE_PX).image.astype(float)
    inner = slice(3 * TILE_PX // 8, 5 * TILE_PX // 8)
    assert np.abs(drawn - photo)[inner, inner].mean() < 12.0


def test_the_other_view_is_whole_and_another_one(face):
    straight, aside = turned(face, 0.0), turned(face, 50.0)
    assert np.abs(straight.astype(float) - aside).mean() > 10.0
    for picture in (straight, aside):
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (border == GREY).all()
        assert 0.3 < (picture != GREY).any(axis=-1).mean() < 0.95
