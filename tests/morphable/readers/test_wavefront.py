import tracemalloc

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.morphable.readers import wavefront
from mlanet.morphable.readers.wavefront import read_obj, read_obj_vertices

SMALL = b"v 0 0 0 1 1 1\r\nv 1 0 0\nv 0 1 0\nv 1 1 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\nf -4 -3 -2\n"


def test_polygons_colours_and_numbers_from_the_end(tmp_path):
    (tmp_path / "a.obj").write_bytes(SMALL)
    mesh = read_obj(tmp_path / "a.obj")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert mesh.uv is None
    np.testing.assert_array_equal(mesh.vertices[1], [1.0, 0.0, 0.0])


def test_blocks_make_no_difference(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).random((50, 3))
    lines = ["v {} {} {}".format(*row) for row in rows] + [
        f"f {k} {k + 1} {k + 2}" for k in range(1, 48)
    ]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    whole = read_obj(tmp_path / "a.obj")
    monkeypatch.setattr(wavefront, "_BLOCK", 100)
    cut = read_obj(tmp_path / "a.obj")
    np.testing.assert_array_equal(cut.vertices, rows)
    np.testing.assert_array_equal(cut.faces, whole.faces)
    np.testing.assert_array_equal(read_obj_vertices(tmp_path / "a.obj"), rows)


@pytest.mark.parametrize(
    "content",
    [
        b"v " + b"1" * 4_000_000 + b" 0 0\n" + b"v 0 0 0\n" * 20_000,  # 240 GB as a table of words
        b"f " + b"1 " * 1_000_000 + b"\n" + SMALL,
        b"v 0 0 0\nf 1 1 " + b"9" * 5000,
        b"f\n" + b"f \n",
        b"\n" * 1_000_000,
    ],
)
def test_long_words_and_many_corners_are_one_line_and_little_memory(tmp_path, content):
    path = tmp_path / "a.obj"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(AssetError, match="OBJ file") as caught:
        read_obj(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20
    assert "\n" not in str(caught.value)
