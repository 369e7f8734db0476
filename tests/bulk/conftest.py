import io

import numpy as np
import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.image import read_image

NUM_PHOTOS = 20

pytest.importorskip("pyarrow", reason="needs the extra bulk")


@pytest.fixture(scope="session")
def encoded():
    """The example's face as JPEG, shifted: photos by name, one of them without a face."""
    face = Image.fromarray(read_image(verified_path("example-image"))).crop((100, 10, 400, 310))
    photos = {}
    for number in range(NUM_PHOTOS):
        file = io.BytesIO()
        shifted = np.roll(np.asarray(face.resize((120, 120))), number % 7, axis=1)
        if number == 3:
            shifted = np.full_like(shifted, 90)
        Image.fromarray(shifted).save(file, "JPEG", quality=90)
        photos[f"photo{number:02d}.jpg"] = file.getvalue()
    return photos


@pytest.fixture(scope="session")
def photos(encoded, tmp_path_factory):
    """A folder of them."""
    folder = tmp_path_factory.mktemp("photos")
    for name, content in encoded.items():
        (folder / name).write_bytes(content)
    return folder
