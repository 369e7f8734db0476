"""Coefficients of a picture that is turned, shifted, scaled or mirrored."""

from dataclasses import replace

import numpy as np
from array_api_compat import device as array_device
from jaxtyping import Bool, Float

from mlanet.coefficients import Array, Coefficients, array_namespace
from mlanet.geometry import FOCAL_LENGTH_PER_CROP, matrix_from_6d, six_d_from_matrix
from mlanet.morphable import MorphableModel

ODD_IN_X = (3, 4, 7)
"""Harmonics that change their sign when left and right are swapped: x, xy, xz."""

MIRROR = np.array([-1.0, 1.0, 1.0])


def crop_coefficients(
    vectors: Float[Array, "b n"],
    squares_px: Float[Array, "b 3"],
    crops_from_images: Float[Array, "b 2 3"],
    mirrored: Bool[Array, "b"],
    size: int,
    model: MorphableModel,
) -> Float[Array, "b n"]:
    """The coefficients that a network should predict for changed crops.

    The rotation in the picture's plane and the mirror image are exact. A shift turns the head
    with the ray on which it is seen, and a scale moves it along that ray: the picture stays the
    same but for perspective, which changes by less than a label's error at the shifts and scales
    of `AugmentationConfig`. Albedo modes are taken to be symmetric.

    Args:
        vectors: coefficients (6D rotation) in the cameras of square parts of the pictures.
        squares_px: left, top and side of those parts.
        crops_from_images: of the changes, before mirroring: a rotation times a scale, and a shift.
        mirrored: which crops are mirrored then.
        size: side of the crops in pixels.
        model: the face model; its layout orders the vectors.
    """
    xp = array_namespace(vectors)
    layout = model.layout
    known = layout.split(vectors)
    corner, side = squares_px[:, :2], squares_px[:, 2:]
    linear, offset = crops_from_images[:, :, :2], crops_from_images[:, :, 2]
    before = known.translation[:, :2]
    middle = corner + (0.5 + before) * side
    after = ((linear @ middle[:, :, None])[:, :, 0] + offset) / size - 0.5
    scale = xp.sqrt(xp.sum(linear[:, :, 0] ** 2, axis=1))
    angle = xp.atan2(linear[:, 1, 0], linear[:, 0, 0])
    c, s, zero = xp.cos(angle), xp.sin(angle), xp.zeros_like(angle)
    turn = _matrices([[c, -s, zero], [s, c, zero], [zero, zero, zero + 1.0]])
    back = xp.matrix_transpose(_rays(before))
    rotation = _rays(after) @ turn @ back @ matrix_from_6d(known.rotation)
    depth = known.translation[:, 2] + xp.log(scale * side[:, 0] / size)
    changed = replace(
        known,
        translation=xp.concat([after, depth[:, None]], axis=1),
        lighting=turned_lighting(known.lighting, angle),
        rotation=six_d_from_matrix(rotation),
    )
    return xp.where(
        mirrored[:, None], layout.join(mirror_image(changed, model)), layout.join(changed)
    )


def known_of_mirror_images(model: MorphableModel) -> Bool[np.ndarray, "n"]:
    """Which coefficients of a mirror image follow from those of the picture."""
    found = np.ones(model.layout.size, bool)
    if not model.mirrors_modes:
        for name in ("identity", "expression", "albedo"):
            found[model.layout.slices[name]] = False
    return found


def mirror_image(known: Coefficients, model: MorphableModel) -> Coefficients:
    """Coefficients (6D rotation) of mirror images.

    Where the model does not know its modes' mirror images, those of shapes stay as they are; see
    `known_of_mirror_images`.
    """
    xp = array_namespace(known.identity)

    def signs(values: Float[np.ndarray, "n"]) -> Array:
        like = known.identity
        return xp.asarray(values, dtype=like.dtype, device=array_device(like))

    rotation = matrix_from_6d(known.rotation) * signs(np.outer(MIRROR, MIRROR))
    odd = np.ones((9, 3))
    odd[list(ODD_IN_X)] = -1.0
    identity, expression = known.identity, known.expression
    if model.mirrors_modes:
        identity = identity * signs(model.identity_mirror)
        expression = expression[:, model.expression_mirror.tolist()]
    return replace(
        known,
        identity=identity,
        expression=expression,
        rotation=six_d_from_matrix(rotation),
        translation=known.translation * signs(MIRROR),
        lighting=known.lighting * signs(odd.reshape(-1)),
    )


def turned_lighting(
    lighting: Float[Array, "*b 27"], angle_rad: Float[Array, "*b"]
) -> Float[Array, "*b 27"]:
    """Light (viewer's frame, y up) turned about the view, from the picture's x towards its y."""
    xp = array_namespace(lighting)
    # Of each harmonic its three channels.
    light = [lighting[..., 3 * number : 3 * number + 3] for number in range(9)]
    # The picture's y points down: in the viewer's frame the angle is negative.
    # x²-y² and 2xy turn by twice the angle; both harmonics have the same norm for these.
    for times, x, y in ((1.0, 3, 1), (1.0, 7, 5), (2.0, 8, 4)):
        angle = xp.asarray(times * angle_rad)[..., None]
        c, s = xp.cos(angle), xp.sin(angle)
        light[x], light[y] = c * light[x] + s * light[y], c * light[y] - s * light[x]
    return xp.concat(light, axis=-1)


def _rays(places: Float[Array, "b 2"]) -> Float[Array, "b 3 3"]:
    """The smallest rotations from the camera's axis to the rays through places in the crop."""
    xp = array_namespace(places)
    x, y = places[:, 0] / FOCAL_LENGTH_PER_CROP, places[:, 1] / FOCAL_LENGTH_PER_CROP
    length = xp.sqrt(x * x + y * y + 1.0)
    x, y, z = x / length, y / length, 1.0 / length
    zero = xp.zeros_like(x)
    cross = _matrices([[zero, zero, x], [zero, zero, y], [-x, -y, zero]])
    identity = _matrices([[zero + float(i == j) for j in range(3)] for i in range(3)])
    return identity + cross + cross @ cross / (1.0 + z)[:, None, None]


def _matrices(rows: list[list[Array]]) -> Float[Array, "b 3 3"]:
    xp = array_namespace(rows[0][0])
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
