"""Results draw themselves."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pygltflib import GLTF2
from scipy.spatial import cKDTree

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.image import read_image
from mlanet.reconstruction import draw_faces
from mlanet.render import PICTURES, composite, render_mesh
from mlanet.texturing import TextureChoice


@pytest.fixture(scope="module")
def photo():
    return read_image(verified_path("example-image"))


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor.load()


@pytest.fixture(scope="module")
def face(reconstructor, photo):
    (found,) = reconstructor(photo)
    return found


@pytest.fixture(scope="module")
def pair(reconstructor, photo):
    """Two faces side by side in a photo, the right one twice as large."""
    head = photo[10:210, 130:330]
    picture = np.zeros((400, 600, 3), dtype=np.uint8)
    picture[200:, :200] = head
    picture[:, 200:] = np.repeat(np.repeat(head, 2, axis=0), 2, axis=1)
    faces = reconstructor(picture)
    assert len(faces) == 2
    return picture, sorted(faces, key=lambda face: face.landmarks_px[30, 0])


def test_the_head_is_the_mesh_before_the_photos_camera(face):
    head = face.head
    np.testing.assert_allclose(head.landmarks[:, :2], face.landmarks_px[:, :2], atol=1e-2)
    assert head.vertices.shape == face.mesh.vertices.shape


def test_every_kind_draws_over_the_photo_or_another_picture(face, photo):
    black = np.zeros_like(photo)
    for kind in PICTURES:
        over_photo, over_black = face.draw(kind), face.draw(kind, black)
        assert over_photo.dtype == np.uint8
        assert (over_photo[:10] == photo[:10]).all(), kind
        assert (over_black[:10] == 0).all(), kind
        assert (over_black > 0).any(), kind
    with pytest.raises(ValueError, match="overlay, shape"):
        face.draw("nonsense")


def test_rendering_is_the_overlay(face, photo):
    np.testing.assert_array_equal(face.render(), face.draw("overlay"))
    unmarked = face.render(landmarks=False)
    changed = (unmarked != photo).any(axis=2)
    mask = face.mask()
    assert mask[changed].min() >= 0.0
    assert mask[changed].mean() > 0.9
    assert mask[~changed].max() < 0.05
    np.testing.assert_array_equal(face.render(opacity=0.0, landmarks=False), photo)


def test_masks_show_regions_where_their_landmarks_are(face, photo):
    eyes = face.mask("eyes")
    assert eyes.shape == photo.shape[:2]
    for marks in (slice(36, 42), slice(42, 48)):
        x, y = face.landmarks_px[marks, :2].mean(axis=0).astype(int)
        assert eyes[y - 1 : y + 2, x].max() > 0.5
    x, y = face.landmarks_px[30, :2].astype(int)
    assert eyes[y, x] == 0.0
    assert face.mask()[y, x] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no region"):
        face.mask("hats")


def test_the_textured_mesh_looks_as_the_photo_does(face, photo):
    drawn = render_mesh(
        face.mesh,
        face.pose,
        face.camera,
        photo.shape[:2],
        texture=face.texture.image,
        topology=face.model.topology,
    )
    shown = composite(drawn, photo).astype(float)
    front = face.mask("face") > 0.99
    assert front.sum() > 3_000
    apart = np.abs(shown - photo).mean(axis=2)[front]
    assert np.median(apart) < 6
    assert np.quantile(apart, 0.9) < 30  # the outline fades to the model's own colour


def test_all_faces_of_a_photo_are_drawn(pair):
    picture, (left, right) = pair
    both = draw_faces([left, right], "normal")
    for face, half in ((left, np.s_[:, :200]), (right, np.s_[:, 230:])):
        np.testing.assert_array_equal(both[half], face.draw("normal")[half])
        assert (both[half] != picture[half]).any()
    np.testing.assert_array_equal(both, draw_faces([right, left], "normal"))


def test_the_nearer_person_does_not_enter_the_farther_ones_texture(reconstructor, photo):
    """The nearer of two heads that overlap lacks red, so that its texels can be told."""
    scene = np.full((620, 900, 3), 110, dtype=np.uint8)
    scene[100:612, 0:512] = photo
    near = np.kron(photo[10:260, 90:360], np.ones((2, 2, 1), dtype=np.uint8))
    rows, columns = np.indices(near.shape[:2])
    inside = ((columns - 270) / 130) ** 2 + ((rows - 230) / 190) ** 2 < 1.0
    near[..., 0] = 0
    part = scene[20:520, 110:650]
    part[inside] = near[inside]
    left, right = sorted(reconstructor(scene), key=lambda face: face.landmarks_px[30, 0])
    assert len(left.before) == 1
    assert right.before == ()

    def share(face):
        colors = face.texture.image.astype(int)
        return (colors[..., 2] - colors[..., 0] > 40).mean()

    assert share(right) > 0.2
    assert share(left) < 0.002
    assert share(replace(left, before=())) > 2.0 * share(left) + 0.004


def test_people_apart_do_not_hide_each_other(reconstructor, photo):
    faces = reconstructor(np.concatenate([photo, photo], axis=1))
    assert [face.before for face in faces] == [(), ()]


def test_no_faces_need_a_background(photo):
    np.testing.assert_array_equal(draw_faces([], "depth", photo), photo)
    with pytest.raises(ValueError, match="background"):
        draw_faces([])


def test_a_face_is_described_in_one_line(face):
    text = repr(face)
    assert "\n" not in text
    assert len(text) < 200
    pitch, yaw, roll = face.euler_deg
    assert f"pitch={pitch:.1f}°, yaw={yaw:.1f}°, roll={roll:.1f}°" in text


def test_the_saved_head_shows_the_photos_expression(face, tmp_path):
    face.save(tmp_path, "me")
    gltf = GLTF2.load(str(tmp_path / "me.glb"))
    assert gltf.nodes[gltf.scenes[0].nodes[0]].name == "me"
    (skin,) = [mesh for mesh in gltf.meshes if mesh.name == "Wolf3D_Head"]
    assert dict(zip(skin.extras["targetNames"], skin.weights, strict=True)) == face.expression
    assert max(skin.weights) > 0.5


def test_a_head_of_one_surface_is_saved_as_it_is(face, tmp_path):
    model = replace(face.model, part_names=(), vertex_parts=np.zeros(0, np.int32))
    replace(face, model=model).save(tmp_path, "me")
    (mesh,) = GLTF2.load(str(tmp_path / "me.glb")).meshes
    assert mesh.name == "me"
    assert not mesh.primitives[0].targets


def test_a_notebook_shows_the_head(face):
    shown = face._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert len(shown) < 3_000_000
    head = face.viewed("face_03")
    modes = head.shape_modes["EyeLeft"]
    assert modes.shape[0] == 8
    assert 0.01 < np.abs(modes[0]).max() < 20.0
    assert b'"face_03"' in head.glb


def test_trimesh_gets_the_textured_mesh_in_mm(face):
    surface = face.to_trimesh(hair=False)
    corners = face.mesh.vertices[face.mesh.faces]
    np.testing.assert_allclose(surface.vertices[surface.faces], corners, atol=1e-3)
    picture = np.asarray(surface.visual.material.baseColorTexture)
    np.testing.assert_array_equal(picture, face.texture.image)


def test_textures_are_written_as_they_are_chosen(face, tmp_path):
    def picture(path):
        return np.asarray(Image.open(path))

    choice = TextureChoice("both", mask=True, size=128)
    written = face.save(tmp_path, "both", ("obj",), texture=choice)
    names = {path.name for path in written}
    assert names == {
        f"both{e}" for e in (".obj", ".mtl", ".png", ".texture-delit.png", ".texture-mask.png")
    }
    lit, delit, mask = (
        picture(tmp_path / f"both{e}.png") for e in ("", ".texture-delit", ".texture-mask")
    )
    made = face.texture_of(128)
    np.testing.assert_array_equal(lit, made.image)
    np.testing.assert_array_equal(delit, made.delit)
    np.testing.assert_array_equal(mask, np.rint(made.visibility * 255.0))
    face.save(tmp_path, "delit", ("obj",), texture=TextureChoice("delit", size=128))
    np.testing.assert_array_equal(picture(tmp_path / "delit.png"), delit)
    assert not (tmp_path / "delit.texture-delit.png").exists()


def test_detail_goes_into_avatars(face, tmp_path):
    bumpy = replace(face)
    bumpy.__dict__["detail"] = np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    for one, detail, has in ((face, True, False), (bumpy, False, False), (bumpy, True, True)):
        (path,) = one.save(tmp_path, formats=("glb",), texture=TextureChoice(detail=detail))
        assert (b"normalTexture" in path.read_bytes()) == has
        assert (b"normalTexture" in one.viewed(detail=detail).glb) == has


def test_a_face_of_few_pixels_has_no_detail(face):
    assert face.head.mm_per_px > 1.1
    assert (face.detail == [128, 128, 255]).all()


def test_a_mask_is_written_without_any_mesh(face, tmp_path):
    (path,) = face.save(tmp_path, formats=(), texture=TextureChoice(mask=True))
    assert path.name == "face_00.texture-mask.png"
    assert Image.open(path).mode == "L"


def test_files_have_hair_unless_it_is_not_wanted(face, tmp_path):
    import trimesh

    assert np.linalg.norm(face.hair, axis=1).max() > 15.0  # her hair is thick
    sizes = {}
    for hair in (True, False):
        (path, *_) = face.save(
            tmp_path, f"hair{hair}", ("ply",), texture=TextureChoice(size=128, hair=hair)
        )
        sizes[hair] = trimesh.load_mesh(path, process=False).vertices
    np.testing.assert_allclose(sizes[False], face.vertices, atol=1e-3)
    np.testing.assert_allclose(sizes[True], face.vertices + face.hair, atol=1e-3)


def test_an_avatar_with_hair_differs_on_the_scalp_alone(face, tmp_path):
    from mlanet.export import read_avatar

    rest = []
    for hair in (True, False):
        choice = TextureChoice(size=128, hair=hair)
        (path,) = face.save(tmp_path, f"avatar{hair}", ("glb",), texture=choice)
        rest.append(read_avatar(path, face.model).rest)
    with_hair, without = rest
    assert with_hair[:, 1].max() > without[:, 1].max() + 15.0
    below = [sorted(map(tuple, points[points[:, 1] < -60.0].round(3))) for points in rest]
    assert below[0] == below[1]


@pytest.fixture
def worn(face):
    """The face with a brown triangle beside its cheek, 40 mm before the head's middle."""
    from mlanet.texturing import LongHair

    corners = np.array([[-130.0, 60.0, 40.0], [-90.0, -60.0, 40.0], [-90.0, 60.0, 40.0]])
    faces, ahead = np.arange(3, dtype=np.int32)[None], np.tile([0.0, 0.0, 1.0], (3, 1))
    brown = np.full((4, 4, 4), (90, 60, 40, 255), np.uint8)
    worn = replace(face)
    vars(worn)["long_hair"] = LongHair(corners, ahead, faces, np.full((3, 2), 0.5), brown)
    return worn


def test_avatars_have_long_hair_unless_it_is_not_wanted(worn, tmp_path):
    for wanted in ({}, {"extent": "face"}, {"texture": TextureChoice(size=128, hair=False)}):
        (path,) = worn.save(tmp_path, "worn", ("glb",), **wanted)
        names = {node.name for node in GLTF2().load(str(path)).nodes}
        assert ("Hair" in names) == (not wanted)


def test_meshes_have_long_hair_unless_it_is_not_wanted(worn, tmp_path):
    import trimesh

    whole = worn.vertices + worn.hair
    for number, wanted in enumerate(
        ({}, {"extent": "face"}, {"texture": TextureChoice(size=128, hair=False)})
    ):
        obj, *others, ply = worn.save(tmp_path, f"worn{number}", ("obj", "ply"), **wanted)
        assert ("o Hair" in obj.read_text().splitlines()) == (not wanted)
        assert any(path.name == f"worn{number}.Hair.png" for path in others) == (not wanted)
        points = trimesh.load(ply, process=False).vertices
        if not wanted:
            expected = np.concatenate([whole, worn.long_hair.vertices])
            np.testing.assert_allclose(points, expected, atol=1e-3)
    surface = worn.to_trimesh()
    np.testing.assert_allclose(surface.vertices[surface.faces[-1]], worn.long_hair.vertices)
    colors = surface.visual.material.to_color(surface.visual.uv[surface.faces[-1]])
    np.testing.assert_array_equal(colors[:, :3], np.tile([90, 60, 40], (3, 1)))
    assert len(surface.faces) == len(worn.to_trimesh(hair=False).faces) + 1


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_the_surface_show_long_hair(worn, kind):
    black = np.zeros_like(worn.image)
    middle = worn.long_hair.vertices.mean(axis=0, keepdims=True)
    x, y = worn.camera.project(worn.pose.apply(middle))[0, :2].astype(int)
    dressed, bare = worn.draw(kind, black), worn.draw(kind, black, hair=False)
    if kind in ("shape", "depth", "normal"):
        assert dressed[y, x].any()
        assert not bare[y, x].any()
    else:
        np.testing.assert_array_equal(dressed, bare)


def test_the_face_alone_has_no_hair(face, tmp_path):
    import trimesh

    (path, *_) = face.save(tmp_path, "alone", ("ply",), extent="face")
    own = trimesh.load_mesh(path, process=False).vertices
    nearest, _ = cKDTree(face.vertices).query(own)
    assert np.median(nearest) < 1e-3
