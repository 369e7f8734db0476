"""Facts of the embedded face model that the rest of the library and its users rely on."""

from collections import Counter

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from mlanet.geometry import face_normals
from mlanet.render import rasterize

# ARKit's names, ARFaceAnchor.BlendShapeLocation in Apple's documentation.
ONE_SIDED = [
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "jaw", "mouth", "mouthDimple",
    "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp",
    "noseSneer",
]  # fmt: skip
MIDDLE = [
    "browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "tongueOut",
]  # fmt: skip
ARKIT = {*MIDDLE, *(name + side for name in ONE_SIDED for side in ("Left", "Right"))}

# Landmark k lies mirrored at MIRRORED_68[k].
MIRRORED_68 = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
]  # fmt: skip


def mirrored(points):
    return points * [-1, 1, 1]


def test_modes_and_their_names(model):
    assert model.identity_names == tuple(f"ict {k}" for k in range(100))
    power = np.sqrt((model.shape.identity**2).sum(axis=(0, 1)) / model.num_base_vertices)
    assert power[:5].mean() > 5 * power[50:].mean()
    assert len(ARKIT) == 52
    assert set(model.expression_names) == ARKIT
    assert len(model.expression_names) == 52
    assert model.layout.albedo == len(model.albedo_names) >= 10
    assert (np.abs(model.shape.expression).max(axis=(0, 1)) > 1.5).all()  # mm


def test_counts_after_subdivision(model):
    assert model.num_base_vertices <= 5_000
    assert model.topology.num_vertices <= 20_000
    assert model.topology.num_vertices == model.num_base_vertices + len(model.midpoint_index)
    assert len(model.topology.faces) == 4 * len(model.base_faces)
    assert 6_000 <= (model.region("face") > 0.5).sum() <= 9_000


def test_millimetres_and_origin(model, face_with):
    points = face_with("landmarks")
    assert 85 < np.linalg.norm(points[36] - points[45]) < 95  # outer corners of the eyes
    assert 28 < np.linalg.norm(points[39] - points[42]) < 42  # inner corners
    ears = model.region("ears")
    centre = (model.subdivide(model.shape.mean) * ears[:, None]).sum(axis=0) / ears.sum()
    assert abs(centre[0]) < 0.1
    assert np.linalg.norm(centre) < 16  # the origin is that of version 1; ears moved back


def test_the_frame(face_with):
    points = face_with("landmarks")
    assert points[30, 2] == points[:, 2].max()  # the tip of the nose is the foremost landmark
    assert points[16, 0] > 60  # the subject's left jaw
    assert points[27, 1] > points[30, 1] > points[8, 1]  # bridge over tip over chin
    closing = np.abs(face_with(eyeBlinkLeft=1.0) - face_with()).max(axis=1) > 0.1
    assert closing.any()
    assert (face_with()[closing, 0] > 0).all()


def test_triangles_are_counter_clockwise_seen_from_outside(model, face_with):
    vertices, faces = face_with(), model.base_faces
    faces = faces[model.regions["face"][faces].min(axis=1) > 0.5]
    normals = face_normals(vertices, faces)
    area = np.linalg.norm(normals, axis=1)
    outward = (normals * vertices[faces].mean(axis=1)).sum(axis=1) > 0
    assert area[outward].sum() > 0.97 * area.sum()  # nostrils, lids and lips fold back
    fine = model.subdivide(vertices)
    tip = np.linalg.norm(fine - face_with("landmarks")[30], axis=1).argmin()
    assert model.normals(fine)[tip, 2] > 0.9


@pytest.mark.parametrize("shape", [(4955, 3), (4955, 1), (2, 3, 4955, 2), (9, 4955, 3)])
def test_values_are_carried_to_new_vertices_one_by_one_or_many_at_once(model, shape):
    assert model.num_base_vertices == 4955
    values = np.random.default_rng(0).normal(size=shape)
    around = values[..., model.midpoint_index, :]
    middle = (around * model.midpoint_weight[:, :, None]).sum(axis=-2)
    expected = np.concatenate([values, middle], axis=-2)
    assert np.abs(model.subdivide(values) - expected).max() < 1e-6


@pytest.mark.parametrize("columns", [1, 3, 4, 5])
def test_single_precision_is_carried_as_double_precision_is(model, columns):
    values = 100.0 * np.random.default_rng(1).normal(size=(model.num_base_vertices, columns))
    found = model.subdivide(values.astype(np.float32))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.abs(found - model.subdivide(values)).max() < 1e-3


def test_modes_lie_one_after_the_other_and_give_the_product_in_double_precision(model):
    shape, rng = model.shape, np.random.default_rng(2)
    identity, expression = rng.normal(size=100), rng.uniform(size=52)
    for basis in (shape.identity, shape.expression):
        assert np.moveaxis(basis, -1, 0).flags.c_contiguous
    expected = shape.mean + (
        shape.identity.astype(np.float64) @ identity
        + shape.expression.astype(np.float64) @ expression
    )
    single = (weights.astype(np.float32) for weights in (identity, expression))
    assert np.abs(model.vertices(*single) - model.subdivide(expected)).max() < 1e-3  # mm


def borders(faces):
    """Number of closed chains of border edges; triangles must be consistently turned."""
    directed = Counter(map(tuple, faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))
    assert max(directed.values()) == 1
    following = {a: b for a, b in directed if (b, a) not in directed}
    loops = 0
    while following:
        loops += 1
        start, vertex = following.popitem()
        while vertex != start:
            vertex = following.pop(vertex)
    return loops


def test_parts_are_separate_meshes_open_at_the_neck_alone(model, with_scipy):
    assert model.part_names[:3] == ("skin", "eye_left", "eye_right")
    assert {"teeth_upper", "teeth_lower", "tongue"} <= set(model.part_names)
    faces, count = model.topology.faces, model.topology.num_vertices
    assert len(np.unique(faces)) == count
    for name in model.part_names:
        mine = faces[model.faces_of(name)]
        # Of the skin the neck, of the tongue its root.
        assert borders(mine) == {"skin": 1, "tongue": 1}.get(name, 0)
        rows, local = np.unique(mine, return_inverse=True)
        points = np.zeros((len(rows), 3))
        assert trimesh.Trimesh(points, local.reshape(-1, 3), process=False).body_count == 1
    assert sum(model.faces_of(name).sum() for name in model.part_names) == len(faces)
    with pytest.raises(ValueError, match=r"no part \['hat'\]; there are \('skin'"):
        model.faces_of("hat")


def test_eyeballs_are_spheres_around_their_centres(model, face_with):
    rng = np.random.default_rng(4)
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    vertices = model.vertices(identity, np.zeros(model.layout.expression, np.float32))
    centres = model.eye_centres(vertices)
    assert centres[0, 0] > 25 > -25 > centres[1, 0]
    for name, centre in zip(("eye_left", "eye_right"), centres, strict=True):
        ball = vertices[np.unique(model.topology.faces[model.faces_of(name)])]
        radius = np.linalg.norm(ball - centre, axis=1)
        assert 11 < radius.mean() < 17
        assert np.ptp(radius) < 0.4


def test_looks_turn_one_eyeball_in_its_place(model, face_with):
    rest = model.subdivide(face_with())
    for name, axis, way in (
        ("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1), ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
    ):  # fmt: skip
        turned = model.subdivide(face_with(**{name: 1.0}))
        moved = (turned - rest)[model.eye_poles]
        assert way * moved[0, 0, axis] > 4  # the front of the left eye
        assert np.abs(moved[1]).max() < 1e-6
        np.testing.assert_allclose(model.eye_centres(turned), model.eye_centres(rest), atol=0.05)


def test_mirroring_coefficients_mirrors_the_mesh(model):
    rng = np.random.default_rng(0)
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    expression = rng.uniform(size=model.layout.expression).astype(np.float32)
    assert set(model.identity_mirror.tolist()) == {-1.0, 1.0}
    vertices = model.shape(identity, expression)
    other = model.shape(identity * model.identity_mirror, expression[model.expression_mirror])
    np.testing.assert_allclose(other, mirrored(vertices[model.mirror]), atol=0.02)
    fine, fine_other = model.subdivide(vertices), mirrored(model.subdivide(other))
    apart, _ = cKDTree(fine).query(fine_other)
    assert apart.max() < 0.05


def test_mirror_maps_are_involutions(model):
    count, names = np.arange(len(model.mirror)), model.expression_names
    np.testing.assert_array_equal(model.mirror[model.mirror], count)
    swapped = [names[k] for k in model.expression_mirror]
    opposite = {"Left": "Right", "Right": "Left"}
    for name, other in zip(names, swapped, strict=True):
        side = next((side for side in opposite if side in name), None)
        assert other == (name.replace(side, opposite[side]) if side else name)


def test_landmarks_are_68_symmetric_points_inside_triangles(model, face_with):
    assert model.landmark_faces.shape == (68,)
    assert model.landmark_barycentric.min() >= 0
    np.testing.assert_allclose(model.landmark_barycentric.sum(axis=1), 1, atol=1e-6)
    points = face_with("landmarks")
    np.testing.assert_allclose(mirrored(points[MIRRORED_68]), points, atol=0.1)
    # iBUG's order: who faces the camera has point 0 at the left of the picture, x < 0 here.
    assert (points[[0, 17, 36, 48], 0] < 0).all()
    assert (np.diff(points[:17, 0]) > -1).all()
    assert (np.diff(points[17:27, 0]) > 0).all()
    assert (np.diff(points[27:31, 1]) < 0).all()
    whole = face_with()
    corners = whole[model.base_faces[model.landmark_faces]]
    blended = (corners * model.landmark_barycentric[..., None]).sum(axis=1)
    np.testing.assert_allclose(points, blended, atol=1e-4)


def test_texture_coordinates_neither_overlap_nor_leave_the_square(model):
    assert model.uv.min() >= 0
    assert model.uv.max() <= 1
    a, b, c = (model.uv[model.uv_faces[:, k]].astype(float) for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    # Outlines of islands are convex or nearly so: equal orientation excludes overlaps in them.
    area = (ux * vy - uy * vx) / 2
    assert area.min() > 0
    assert 0.75 < area.sum() < 1
    skin = model.faces_of("skin")
    islands = [model.uv[model.uv_faces[model.faces_of(name)]] for name in model.part_names[1:]]
    assert all(island[..., 1].max() < model.uv[model.uv_faces[skin], 1].min() for island in islands)
    corners = np.zeros((model.topology.num_vertices, 2))
    corners[model.topology.faces[skin]] = model.uv[model.uv_faces[skin]]
    vertices = model.subdivide(model.shape.mean)
    front = model.region("face") > 0.5
    assert np.corrcoef(corners[front, 1], vertices[front, 1])[0, 1] > 0.9  # v goes up the face
    assert np.corrcoef(corners[front, 0], vertices[front, 0])[0, 1] > 0.9  # u to the left


def test_mirroring_the_texture_mirrors_the_face(model):
    """A photo's other side is completed so; teeth have no partner there."""
    faces, uv_faces = model.topology.faces, model.uv_faces
    centres = model.uv[uv_faces].mean(axis=1)
    vertices = model.subdivide(model.shape.mean)[faces].mean(axis=1)
    paired = model.faces_of("skin", "eye_left", "eye_right", "tongue")
    apart, other = cKDTree(centres[paired]).query([1, 0] + centres[paired] * [-1, 1])
    assert apart.max() < 1e-4
    image = mirrored(vertices[paired][other])
    np.testing.assert_allclose(image, vertices[paired], atol=0.1)
    teeth = centres[~paired]
    apart, _ = cKDTree(centres).query([1, 0] + teeth * [-1, 1])
    assert apart.min() > 0.004


def texel_sizes(model, texture_size, chosen):
    """Texels for a millimetre of some of the base triangles.

    Along the axes of most and least, (f, 2), and the triangles' areas in mm².
    """
    faces, uv_faces = model.base_faces[chosen], model.base_uv_faces[chosen]
    p = model.shape.mean[faces].astype(float)
    first, second = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    length = np.linalg.norm(first, axis=1)
    normal = np.cross(first, second)
    area = np.linalg.norm(normal, axis=1)
    across = np.cross(normal / area[:, None], first / length[:, None])
    flat = np.zeros((len(faces), 2, 2))
    flat[:, 0, 0] = length
    flat[:, 0, 1] = (second * first).sum(axis=1) / length
    flat[:, 1, 1] = (second * across).sum(axis=1)
    q = model.base_uv[uv_faces].astype(float) * texture_size
    jacobian = np.stack([q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]], axis=2) @ np.linalg.inv(flat)
    return np.linalg.svd(jacobian, compute_uv=False), area / 2


def weighted_quantile(values, weights, share):
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order][np.searchsorted(total, share * total[-1])]


@pytest.mark.parametrize("region", ["face", "lips", "nose"])
def test_a_texture_of_1024_gives_what_is_seen_of_the_face_its_share(model, region):
    """The inside of nostrils and of closed lips, which nobody sees, gets fewer texels."""
    corners = {name: mask[model.base_faces] for name, mask in model.regions.items()}
    chosen = (corners[region].mean(axis=1) > 0.5) & (corners["mouth"].max(axis=1) < 0.5)
    if region != "lips":
        chosen &= corners["face"].min(axis=1) > 0.5
    sizes, area = texel_sizes(model, 1024, chosen)
    density, shear = np.sqrt(sizes.prod(axis=1)), sizes[:, 0] / sizes[:, 1]
    assert weighted_quantile(density, area, 0.05) > 2.4  # texels for a millimetre
    assert weighted_quantile(shear, area, 0.5) < 1.9
    assert weighted_quantile(shear, area, 0.9) < 2.7


def test_eyes_have_as_many_texels_as_the_face(model):
    for side, (front, back) in zip(("left", "right"), model.eye_poles, strict=True):
        vertices = model.shape.mean
        centre = (vertices[front] + vertices[back]) / 2
        gaze = (vertices[front] - centre) / np.linalg.norm(vertices[front] - centre)
        middle = vertices[model.base_faces].mean(axis=1) - centre
        cosine = middle @ gaze / np.linalg.norm(middle, axis=1)
        part = model.part_names.index(f"eye_{side}")
        chosen = (model.vertex_parts[model.base_faces[:, 0]] == part) & (cosine > 0.8)
        sizes, area = texel_sizes(model, 1024, chosen)
        assert weighted_quantile(np.sqrt(sizes.prod(axis=1)), area, 0.05) > 2.4


def test_regions(model):
    needed = {"face", "eyes", "mouth", "lips", "brows", "nose", "ears", "neck", "scalp"}
    assert needed <= set(model.regions)
    for mask in model.regions.values():
        assert mask.min() >= 0
        assert mask.max() <= 1
        np.testing.assert_allclose(mask[model.mirror], mask, atol=0.01)
    fine, coarse = model.region("face", "neck"), model.num_base_vertices
    both = np.maximum(model.regions["face"], model.regions["neck"])
    np.testing.assert_array_equal(fine[:coarse], both)
    with pytest.raises(ValueError, match=r"no region \['hat'\]; there are \['beard'"):
        model.region("face", "hat")


def test_albedo_is_a_colour(model):
    zero = np.zeros(model.layout.albedo, np.float32)
    mean = model.albedo(zero)
    assert mean.shape == (model.topology.num_vertices, 3)
    assert mean.min() > 0
    assert mean.max() < 1
    skin = mean[(model.region("face") > 0.9) & (model.region("eyes", "mouth", "brows") < 0.1)]
    assert (skin.mean(axis=0)[:2] > skin.mean(axis=0)[1:]).all()  # red over green over blue
    lips, cheeks = model.region("lips") > 0.9, model.region("cheeks") > 0.9
    assert mean[lips, 1].mean() < mean[cheeks, 1].mean()
    tone = zero.copy()
    tone[model.albedo_names.index("skin tone")] = 1.0
    assert model.albedo(tone).mean() > mean.mean() + 0.05
    extreme = model.albedo(np.stack([zero + 9, zero - 9]))
    assert extreme.shape == (2, model.topology.num_vertices, 3)
    assert extreme.min() >= 0
    assert extreme.max() <= 1


def seen_of(model, vertices, *parts):
    """Area of some parts that is seen from the front, mm²."""
    pixels = 4.0
    points = vertices * [pixels, -pixels, -1.0] + [400.0, 400.0, 1000.0]
    found = rasterize(points, model.topology.faces, (800, 800), cull_backfaces=True).face_index
    return model.faces_of(*parts)[found[found >= 0]].sum() / pixels**2


def test_eye_blink_closes_that_eye_only(model, face_with):
    rest, closed = (model.subdivide(face_with(eyeBlinkLeft=extent)) for extent in (0.0, 1.0))
    left, right = (seen_of(model, rest, eye) for eye in ("eye_left", "eye_right"))
    assert left > 80
    assert seen_of(model, closed, "eye_left") < 0.5
    assert seen_of(model, closed, "eye_right") == pytest.approx(right)


def test_a_blink_closes_the_eyes_of_random_heads(model):
    """Up to the corners of the lids, where heads differ too (benchmarks/contacts.py measures)."""
    rng = np.random.default_rng(0)
    blink = np.array([name.startswith("eyeBlink") for name in model.expression_names])
    for identity in rng.normal(size=(20, model.layout.identity)).astype(np.float32):
        closed = model.vertices(identity, blink.astype(np.float32))
        assert seen_of(model, closed, "eye_left", "eye_right") < 0.5


def test_expressions_do_what_their_names_say(face_with):
    rest = face_with("landmarks")

    def moved(landmark, **extents):
        return (face_with("landmarks", **extents) - rest)[landmark]

    assert moved(8, jawOpen=1.0)[1] < -15
    assert moved(51, jawOpen=1.0)[1] > -5  # the upper lip stays
    assert moved(8, jawLeft=1.0)[0] > 3
    assert moved(8, jawForward=1.0)[2] > 3
    assert moved(54, mouthSmileLeft=1.0)[0] > 3
    assert moved(54, mouthSmileLeft=1.0)[1] > 5
    assert moved(48, mouthSmileRight=1.0)[0] < -3
    assert moved(54, mouthFrownLeft=1.0)[1] < -1
    assert moved(54, mouthPucker=1.0)[0] < -2
    assert moved(22, browInnerUp=1.0)[1] > 2
    assert moved(24, browDownLeft=1.0)[1] < -2
    assert moved(25, browOuterUpLeft=1.0)[1] > 2
    assert moved(44, eyeWideLeft=1.0)[1] > 0.5
    together = face_with("landmarks", jawOpen=1.0, mouthClose=1.0)
    gap = together[62, 1] - together[66, 1]
    assert gap < 0.25 * (moved(62, jawOpen=1.0) - moved(66, jawOpen=1.0))[1]


def test_identity_leaves_the_mouth_closed(model):
    """Rims of the lips may stand before one another, as profiles differ, but they do not part."""
    upper, lower = [61, 62, 63], [67, 66, 65]
    across = (model.landmarks.identity[upper] - model.landmarks.identity[lower])[:, 1]
    assert np.square(across).sum(axis=-1).max() < 0.6**2  # variance, mm²
    apart = (model.landmarks.mean[upper] - model.landmarks.mean[lower])[:, 1]
    assert (apart > 0).all()
    assert apart.max() < 1.5  # where people see the rims of closed lips
    rng = np.random.default_rng(0)
    rest = np.zeros(model.layout.expression, np.float32)
    for identity in rng.normal(size=(40, model.layout.identity)).astype(np.float32):
        inside = seen_of(
            model, model.vertices(identity, rest), "teeth_upper", "teeth_lower", "tongue"
        )
        assert inside < 4


def test_a_blink_closes_the_eye(model, face_with):
    for side, upper, lower in (("Left", [43, 44], [47, 46]), ("Right", [37, 38], [41, 40])):
        opened, closed = face_with("landmarks"), face_with("landmarks", **{f"eyeBlink{side}": 1.0})
        assert ((opened[upper] - opened[lower])[:, 1] > 6).all()
        assert ((closed[upper] - closed[lower])[:, 1] < 2.5).all()
