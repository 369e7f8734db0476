import base64
import html
import json
import re
import zlib

import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.geometry import Camera, Pose
from mlanet.viewing import (
    MAX_HEADS,
    PhotoView,
    ViewedHead,
    as_frame,
    head_of_file,
    photo_view,
    view_page,
    write_page,
    write_view,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
POSE = Pose(np.eye(3), np.array([1.0, 2.0, 900.0]))


def content(page):
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', page)
    return json.loads(found[1])


def test_a_page_holds_its_heads_and_loads_nothing(glb):
    photo = PhotoView(b"jpeg", (3, 4), 5.0, (1.0, 2.0), POSE)
    modes = {"Wolf3D_Head": np.full((2, 4, 3), 0.125)}
    page = view_page([ViewedHead("face_00", glb, photo, modes), ViewedHead("b", glb)], "A & B")
    told = content(page)
    first, second = told["heads"]
    assert (first["name"], second["name"]) == ("face_00", "b")
    assert first["glb"] == second["glb"]
    assert first["photo"]["translation_mm"] == [1.0, 2.0, 900.0]
    assert "photo" not in second
    assert told["pieces"][first["shape"]["Wolf3D_Head"]] == [2 * 4 * 3 * 2, True]
    assert "<title>A &amp; B</title>" in page
    assert page.count("<!--mlanet:data-->") == 0
    assert not re.findall(r'(?:src|href)="(?!data:)[^"]', page)
    assert "default-src 'none'" in page


def test_offsets_are_stored_to_10_micrometres(glb):
    modes = np.random.default_rng(0).normal(0.0, 5.0, (2, 7, 3))
    page = view_page([ViewedHead("a", glb, shape_modes={"m": modes})], "a")
    told = content(page)
    data = re.search(r'id="data">([^<]+)<', page)[1]
    piece = told["heads"][0]["shape"]["m"]
    start = sum(count for count, _ in told["pieces"][:piece])
    count = told["pieces"][piece][0]
    planes = zlib.decompress(base64.b64decode(data))[start : start + count]
    numbers = np.frombuffer(planes, np.uint8).reshape(4, -1).T.tobytes()
    stored = np.frombuffer(numbers, "<i2").reshape(modes.shape) / 100.0
    np.testing.assert_allclose(stored, modes, atol=0.005)


def test_names_cannot_leave_their_place(glb):
    name = '</script><script>alert("1")</script>'
    page = view_page([ViewedHead(name, glb)], name)
    assert "<script>alert" not in page
    assert content(page)["heads"][0]["name"] == name


def test_a_page_without_heads_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one head"):
        write_page(tmp_path / "view.html", [])
    assert not list(tmp_path.iterdir())


def test_the_photo_is_cut_around_the_face():
    square = np.array([40.0, 30.0, 60.0, 50.0])
    view = photo_view(PICTURE, square, Camera(400.0, (55.0, 45.0)), POSE)
    assert view.size_px == (32, 32)
    assert view.focal_length_px == 400.0
    assert view.principal_point_px == (55.0 - 34.0, 45.0 - 24.0)
    assert view.jpeg[:2] == b"\xff\xd8"


def test_a_large_photo_is_made_small():
    large = np.repeat(np.repeat(PICTURE, 12, axis=0), 12, axis=1)
    view = photo_view(
        large, np.array([0.0, 0.0, 1440.0, 1080.0]), Camera(2e3, (700.0, 500.0)), POSE
    )
    assert view.size_px == (640, 480)
    assert view.focal_length_px == pytest.approx(2e3 * 640 / 1440)
    assert view.principal_point_px[0] == pytest.approx(700 * 640 / 1440)


@pytest.mark.parametrize("square", [[-90, -90, -50, -50], [500, 500, 600, 600], [-400, 20, 10, 80]])
def test_a_face_at_the_border_has_a_photo(square):
    view = photo_view(PICTURE, np.array(square, float), Camera(400.0, (0.0, 0.0)), POSE)
    assert min(view.size_px) >= 1


class Face:
    """Something that can be shown."""

    def __init__(self, glb):
        self.glb = glb

    def viewed(self, name):
        return ViewedHead(name, self.glb)


def test_a_crowd_is_shown_in_part(glb, tmp_path):
    write_view((Face(glb) for _ in range(MAX_HEADS + 5)), tmp_path / "view.html", "crowd")
    heads = content((tmp_path / "view.html").read_text(encoding="utf-8"))["heads"]
    assert [head["name"] for head in heads] == [f"face_{k:02d}" for k in range(MAX_HEADS)]


def test_a_frame_holds_the_page_and_keeps_it_in(glb):
    page = view_page([ViewedHead("a", glb)], 'a "quoted" title')
    frame = as_frame(page)
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == page
    assert 'sandbox="allow-scripts allow-downloads"' in frame


def test_files_of_other_programs_are_taken(foreign, tmp_path):
    path = tmp_path / "box.glb"
    path.write_bytes(foreign)
    head = head_of_file(path)
    assert (head.name, head.glb, head.photo) == ("box", foreign, None)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"asset": {"version": "2.0"}}, "has no mesh"),
        ({"meshes": [{}], "images": [{"uri": "skin.png"}]}, r"refers to another file, skin\.png"),
        (
            {"meshes": [{}], "extensionsRequired": ["KHR_draco_mesh_compression"]},
            "requires the extension KHR_draco_mesh_compression",
        ),
        ({"meshes": [{}], "buffers": [7]}, "is malformed"),
        ({"meshes": [{}], "bufferViews": [{"byteOffset": "x"}]}, "is malformed"),
        ([1], "is malformed"),
    ],
)
def test_what_a_page_cannot_show_is_one_line(header, words, glb_of, tmp_path):
    path = tmp_path / "x.glb"
    path.write_bytes(glb_of(header))
    with pytest.raises(DataError, match=rf"x\.glb.*{words}"):
        view_page([head_of_file(path)], "x")
