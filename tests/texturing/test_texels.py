"""Loops over texels against slow ones over pictures."""

import cv2
import numpy as np
import pytest

from mlanet.geometry import Camera, MeshTopology
from mlanet.render import UvAtlas, sample_image
from mlanet.render.atlas import vertex_attributes_to_uv
from mlanet.render.attributes import viewer_normals
from mlanet.texturing.photo_texels import GRAZING, Sight
from mlanet.texturing.smooth_fields import ramp
from mlanet.texturing.texel_loops import compose


@pytest.fixture(scope="module")
def photo():
    noise = np.random.default_rng(0).uniform(0.0, 255.0, (90, 110, 3)).astype(np.float32)
    return np.rint(cv2.GaussianBlur(noise, (0, 0), 1.0)).astype(np.uint8)


def test_texels_show_the_photo_where_their_triangles_lie(plane, frontal, photo):
    camera = Camera(250.0, (55.0, 45.0))
    wave = 15.0 * np.sin(plane.vertices[:, :1] / 20.0) * np.array([0.0, 0.0, 1.0])
    vertices = frontal.apply(plane.vertices + wave)
    normals = viewer_normals(vertices, MeshTopology(plane.faces, len(vertices)))
    cosine = normals[:, 2]
    share = np.linspace(0.2, 1.0, len(vertices))
    points = np.column_stack([camera.project(vertices), cosine, share])
    atlas = UvAtlas.of_mesh(plane, 200)
    inner, box = np.zeros(len(vertices)), (0, 0, 110, 90)
    found = Sight(photo, points, inner, plane, camera, box, 200.0, ()).texels(atlas)
    planes = vertex_attributes_to_uv(atlas, plane.faces, points)
    expected = sample_image(photo, planes[..., :2])
    inside = atlas.fragments.mask
    assert (found.seen[inside] == 255).mean() > 0.95
    difference = np.abs(found.colors[inside] - expected[inside])
    assert difference.max() < 0.8
    assert difference.mean() < 0.3  # rounding alone is 0.25
    seen = found.seen == 255
    weight = 255.0 * ramp(planes[..., 3], *GRAZING) * planes[..., 4]
    assert np.abs(found.weight[seen] - weight[seen]).max() < 1.0
    assert not found.colors[~inside].any()
    assert not found.weight[~inside].any()


@pytest.mark.parametrize("size", [40, 128, 150])
def test_completed_texels_are_mixed_of_enlarged_fields(size):
    dice = np.random.default_rng(1)
    small = 20
    fields = dice.uniform(0.0, 1.0, (small, small, 9)).astype(np.float32)
    fields[..., :3] *= 255.0
    fields[..., 6:] *= 255.0
    fields[:, :8, 5] = 0.0
    fields[:, 12:, 3] = 0.0
    photo = dice.integers(0, 256, (size, size, 3)).astype(np.uint8)
    weight = dice.choice([0, 100, 255], (size, size)).astype(np.uint8)
    detail = dice.integers(-127, 128, (size, size)).astype(np.int8)
    contrast = np.array([0.02, 0.1], np.float32)
    spans = np.tile(np.array([0, size], np.int32), (size, 1))
    spans[3] = 5, 30
    spans[7] = 0
    image, visibility = photo.copy(), np.zeros((size, size), np.float32)
    compose(spans, photo, weight, fields, detail, contrast, image, visibility)

    wide = np.concatenate(
        [cv2.resize(fields[..., k : k + 3], (size, size)) for k in (0, 3, 6)], axis=-1
    )
    own = weight / 255.0 * wide[..., 4]
    vary = detail[..., None] * 3.0 / 127.0
    cover = wide[..., 5:6] + vary * wide[..., 5:6] * (1.0 - wide[..., 5:6])
    skin, hair = (
        wide[..., k : k + 3] * (1.0 + vary * share)
        for k, share in zip((0, 6), contrast, strict=True)
    )
    rest = skin + np.clip(cover, 0.0, 1.0) * (hair - skin)
    rest += wide[..., 3:4] * photo[:, ::-1]
    rest += own[..., None] * (photo - rest)
    rows, columns = np.indices((size, size))
    inside = (columns >= spans[rows, 0]) & (columns < spans[rows, 1])
    expected = np.clip(rest, 0.0, 255.0)
    assert np.abs(image[inside] - expected[inside]).max() < 1.5
    assert np.abs(visibility[inside] - own[inside]).max() < 1e-5
    assert (image[~inside] == photo[~inside]).all()
    assert not visibility[~inside].any()
