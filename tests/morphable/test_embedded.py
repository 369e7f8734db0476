"""Facts of the embedded face model that the rest of the library and its users rely on."""

from collections import Counter

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from mlanet.geometry import face_normals

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
    kinds = Counter(name.split()[0] for name in model.identity_names)
    assert kinds["principal"] >= 80
    assert kinds["smooth"] >= 60
    assert len(ARKIT) == 52
    assert set(model.expression_names) == ARKIT
    assert len(model.expression_names) == 52
    assert model.layout.albedo == len(model.albedo_names) >= 10
    still = np.abs(model.shape.expression).max(axis=(0, 1)) == 0
    assert [n for n, none in zip(model.expression_names, still, strict=True) if none] == [
        "tongueOut"
    ]


def test_counts_after_subdivision(model):
    assert 2_500 < len(model.base_uv) < 3_500
    assert len(model.uv) == len(model.base_uv) + len(model.midpoint_index)
    assert len(model.topology.faces) == 4 * len(model.base_faces)
    assert 6_000 <= (model.region("face", "eyes", "mouth") > 0.5).sum() <= 9_000


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


def test_the_mesh_is_a_disc_with_closed_eyes_and_lips(model):
    for faces, count in (
        (model.base_faces, len(model.base_uv)),
        (model.topology.faces, model.topology.num_vertices),
    ):
        directed = Counter(map(tuple, faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))
        assert max(directed.values()) == 1  # a manifold, consistently turned
        border = {a: b for a, b in directed if (b, a) not in directed}
        start = vertex = next(iter(border))
        length = 1
        while (vertex := border[vertex]) != start:
            length += 1
        assert length == len(border)  # one loop
        edges = len({tuple(sorted(edge)) for edge in directed})
        assert count - edges + len(faces) == 1  # Euler: a disc
        assert len(np.unique(faces)) == count
    assert trimesh.Trimesh(np.zeros((count, 3)), faces, process=False).body_count == 1


def test_mirroring_coefficients_mirrors_the_mesh(model):
    rng = np.random.default_rng(0)
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    expression = rng.uniform(size=model.layout.expression).astype(np.float32)
    assert set(model.identity_mirror.tolist()) == {-1.0, 1.0}
    vertices = model.shape(identity, expression)
    other = model.shape(identity * model.identity_mirror, expression[model.expression_mirror])
    np.testing.assert_allclose(other, mirrored(vertices[model.mirror]), atol=0.02)
    # Diagonals of quads are not mirrored, so the finer mesh agrees as a surface, not by vertex.
    fine, fine_other = model.subdivide(vertices), mirrored(model.subdivide(other))
    apart, _ = cKDTree(fine).query(fine_other)
    assert np.median(apart) < 0.02
    assert np.quantile(apart, 0.95) < 0.02


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
    a, b, c = (model.uv[model.topology.faces[:, k]].astype(float) for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    # The border is convex, so equal orientation of all triangles excludes any overlap.
    assert (ux * vy - uy * vx).min() > 0
    partner = model.base_uv[model.mirror]
    np.testing.assert_allclose(partner[:, 0], 1 - model.base_uv[:, 0], atol=1e-6)
    np.testing.assert_allclose(partner[:, 1], model.base_uv[:, 1], atol=1e-6)
    up, left = model.base_uv[:, 1], model.base_uv[:, 0]
    vertices = model.shape.mean
    assert np.corrcoef(up, vertices[:, 1])[0, 1] > 0.9  # v goes up the face
    assert np.corrcoef(left, vertices[:, 0])[0, 1] > 0.8  # u to the subject's left


def texel_sizes(model, texture_size, *regions):
    """Texels for a millimetre along the axes of most and least, (f, 2), and areas in mm²."""
    faces = model.base_faces
    mask = np.maximum.reduce([model.regions[name] for name in regions])
    faces = faces[mask[faces].mean(axis=1) > 0.5]
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
    q = model.base_uv[faces].astype(float) * texture_size
    jacobian = np.stack([q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]], axis=2) @ np.linalg.inv(flat)
    return np.linalg.svd(jacobian, compute_uv=False), area / 2


def weighted_quantile(values, weights, share):
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order][np.searchsorted(total, share * total[-1])]


@pytest.mark.parametrize("region", ["face", "eyes", "lips", "nose"])
def test_a_texture_of_1024_gives_every_part_of_the_face_its_share(model, region):
    sizes, area = texel_sizes(model, 1024, region)
    density, shear = np.sqrt(sizes.prod(axis=1)), sizes[:, 0] / sizes[:, 1]
    assert weighted_quantile(density, area, 0.05) > 2.4  # texels for a millimetre
    assert weighted_quantile(shear, area, 0.5) < 1.9
    assert weighted_quantile(shear, area, 0.9) < 2.7


def test_regions(model):
    needed = {"face", "eyes", "mouth", "lips", "brows", "nose", "ears", "neck", "scalp"}
    assert needed <= set(model.regions)
    for mask in model.regions.values():
        assert mask.min() >= 0
        assert mask.max() <= 1
        np.testing.assert_allclose(mask[model.mirror], mask, atol=0.01)
    fine, coarse = model.region("face", "neck"), len(model.base_uv)
    both = np.maximum(model.regions["face"], model.regions["neck"])
    np.testing.assert_array_equal(fine[:coarse], both)
    with pytest.raises(ValueError, match=r"no region \['hat'\]; there are \['beard'"):
        model.region("face", "hat")


def test_albedo_is_a_colour(model):
    zero = np.zeros(model.layout.albedo, np.float32)
    mean = model.albedo(zero)
    assert mean.shape == (len(model.uv), 3)
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
    assert extreme.shape == (2, len(model.uv), 3)
    assert extreme.min() >= 0
    assert extreme.max() <= 1


def opening_of_eye(model, vertices, side):
    """Area of an eye's opening seen from the front, mm²; side 1 is the subject's left."""
    eyes = model.regions["eyes"] > 0.5
    faces = model.base_faces[eyes[model.base_faces].any(axis=1)]
    faces = faces[np.sign(model.shape.mean[faces].mean(axis=1)[:, 0]) == side]
    return face_normals(vertices, faces)[:, 2].sum() / 2


def test_eye_blink_closes_that_eye_only(model, face_with):
    closed = face_with(eyeBlinkLeft=1.0)
    left, right = (opening_of_eye(model, face_with(), side) for side in (1, -1))
    assert left > 100
    assert opening_of_eye(model, closed, 1) < 0.3 * left
    assert opening_of_eye(model, closed, -1) == pytest.approx(right)


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
    basis = model.landmarks.identity
    apart = np.linalg.norm(basis[[61, 62, 63]] - basis[[67, 66, 65]], axis=-1)  # pairs of rims
    assert (apart * apart).sum(axis=0).max() < 3 * 0.7**2  # mm
    mean = model.landmarks.mean
    assert np.linalg.norm(mean[[61, 62, 63]] - mean[[67, 66, 65]], axis=-1).max() < 3.0


def test_a_blink_closes_the_eye(model, face_with):
    for side, upper, lower in (("Left", [43, 44], [47, 46]), ("Right", [37, 38], [41, 40])):
        opened, closed = face_with("landmarks"), face_with("landmarks", **{f"eyeBlink{side}": 1.0})
        assert ((opened[upper] - opened[lower])[:, 1] > 6).all()
        assert ((closed[upper] - closed[lower])[:, 1] < 2.5).all()


def test_modes_are_ordered_within_their_kind(model):
    """Anthropometric modes come first, each kind ordered by how far it moves the face."""
    names = model.identity_names
    kinds = [name.split()[0] for name in names]
    assert kinds == ["principal"] * 80 + ["smooth"] * 100
    face = model.regions["face"] > 0.5
    power = np.sqrt((model.shape.identity[face] ** 2).sum(axis=(0, 1)) / face.sum())
    assert power[0] > 0.7  # mm
    assert power[:5].mean() > 3 * power[70:80].mean()
    assert power[80:85].mean() > 2 * power[170:].mean()
