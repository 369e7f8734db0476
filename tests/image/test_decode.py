import io

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from mlanet.errors import ImageError
from mlanet.image import read_image

PIXELS = np.arange(28 * 28 * 3).astype(np.uint8).reshape(28, 28, 3)


def encoded(kind):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_stored_pixels(kind):
    np.testing.assert_array_equal(read_image(encoded(kind), upright=False), PIXELS)


def test_eps_is_not_handed_to_ghostscript(monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("was started"))
    with pytest.raises(ImageError, match=r"a\.jpg: is not a picture"):
        read_image(encoded("EPS"), name="a.jpg")


def test_damage_of_every_kind_is_a_broken_sample():
    """Single bytes of a TIFF header: Pillow raises TypeError and more."""
    whole = bytearray(encoded("TIFF"))
    messages = []
    for place in range(8, 160):
        for value in (0, 2, 255):
            damaged = whole.copy()
            damaged[place] = value
            try:
                read_image(bytes(damaged), name="a.tif")
            except ImageError as error:
                messages.append(str(error))
    assert len(messages) > 30
    assert not any("\n" in message for message in messages)
