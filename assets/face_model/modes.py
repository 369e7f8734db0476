"""Stage 2b of the embedded face model: identity, smooth and expression modes."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

REAL_SPREAD = 0.45
"""Real faces vary this much of what the head sampler's sliders do (fits to labelled faces)."""

SMOOTH_LENGTH_MM = 30.0
SMOOTH_SD_MM = 3.0
ANTISYMMETRIC = 0.5

LID_REACH_MM = 4.0


def mirrored(fields: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Left-right mirror of displacement fields (..., V, 3)."""
    return fields[..., mirror, :] * np.array([-1.0, 1.0, 1.0])


def align_to(reference: np.ndarray, samples: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Similarity-align samples (n, V, 3) to a reference: size and pose are not identity."""
    w = weight / weight.sum()
    reference_mean = w @ reference
    aligned = np.empty_like(samples)
    for row, sample in enumerate(samples):
        mean = w @ sample
        a, b = sample - mean, reference - reference_mean
        u, singular, vt = np.linalg.svd((b * w[:, None]).T @ a)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = (singular * sign).sum() / (w @ (a * a).sum(axis=1))
        aligned[row] = scale * a @ rotation.T + reference_mean
    return aligned


def principal_modes(
    offsets: np.ndarray, mirror: np.ndarray, weight: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Principal components (count, V, 3) scaled by their standard deviation, and mirror signs.

    Symmetric and antisymmetric parts are analysed apart, which makes the left-right symmetry
    exact, and merged by variance.
    """
    found = []
    for sign in (1.0, -1.0):
        part = (offsets + sign * mirrored(offsets, mirror)) / 2
        flat = (part * np.sqrt(weight)[:, None]).reshape(len(part), -1)
        u, singular, _ = np.linalg.svd(flat, full_matrices=False)
        scores = u[:, :count] * np.sqrt(len(part))
        fields = np.tensordot(scores.T, part, axes=1) / len(part)
        found += [(singular[k] ** 2, sign, fields[k]) for k in range(min(count, len(singular)))]
    found.sort(key=lambda item: -item[0])
    kept = found[:count]
    print(
        f"principal modes: {sum(s < 0 for _, s, _ in kept)} of {count} antisymmetric; "
        f"{sum(v for v, _, _ in kept) / sum(v for v, _, _ in found):.4f} of the variance"
    )
    return np.stack([field for _, _, field in kept]), np.array([sign for _, sign, _ in kept])


def smooth_modes(
    mean: np.ndarray,
    faces: np.ndarray,
    mirror: np.ndarray,
    taper: np.ndarray,
    rigid_weight: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian-process deformation modes (count, V, 3) and their mirror signs.

    Lüthi et al., "Gaussian Process Morphable Models", PAMI 2018, with the kernel
    exp(-d² / 30²) on geodesic distances, so that upper and lower lip stay independent, and what
    a similarity transform explains taken out.
    """
    distance = geodesic_distances(mean, faces)
    kernel = np.exp(-((distance / SMOOTH_LENGTH_MM) ** 2)) * np.outer(taper, taper)
    kernel = (kernel + kernel[np.ix_(mirror, mirror)]) / 2
    values, vectors = np.linalg.eigh(kernel)
    order = np.argsort(-values)[:80]
    scalar = vectors[:, order] * np.sqrt(values[order])
    even = (scalar + scalar[mirror]) / 2
    odd = (scalar - scalar[mirror]) / 2

    w = rigid_weight / rigid_weight.sum()
    centred = mean - w @ mean
    motions = [np.tile(np.eye(3)[k], (len(mean), 1)) for k in range(3)]
    motions += [np.cross(np.eye(3)[k], centred) for k in range(3)] + [centred]
    Q, _ = np.linalg.qr((np.stack(motions) * np.sqrt(w)[:, None]).reshape(7, -1).T)

    found = []
    for sign, x_part, yz_part in ((1.0, odd, even), (-1.0, even, odd)):
        fields = []
        for axis, part in ((0, x_part), (1, yz_part), (2, yz_part)):
            for k in range(part.shape[1]):
                field = np.zeros_like(mean)
                field[:, axis] = part[:, k]
                fields.append(field)
        stack = np.stack(fields) * SMOOTH_SD_MM * (1.0 if sign > 0 else ANTISYMMETRIC)
        flat = (stack * np.sqrt(w)[:, None]).reshape(len(stack), -1)
        coefficient = flat @ Q
        motion = np.stack(motions).reshape(7, -1)
        basis = np.linalg.solve(
            np.linalg.qr((motion.reshape(7, -1, 3) * np.sqrt(w)[:, None]).reshape(7, -1).T)[1].T,
            motion,
        )
        stack = stack - (coefficient @ basis).reshape(stack.shape)
        flat = stack.reshape(len(stack), -1)
        gram = flat @ flat.T
        power, turn = np.linalg.eigh(gram)
        keep = np.argsort(-power)[:count]
        modes = np.tensordot(turn[:, keep].T, stack, axes=1)
        found += [(power[i], sign, mode) for i, mode in zip(keep, modes, strict=True)]
    found.sort(key=lambda item: -item[0])
    kept = found[:count]
    print(f"smooth modes: {sum(s < 0 for _, s, _ in kept)} of {count} antisymmetric")
    return np.stack([field for _, _, field in kept]), np.array([sign for _, sign, _ in kept])


def geodesic_distances(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """All-pairs distances (V, V) along edges, mm; farther than 90 mm or unconnected is inf."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    count = len(vertices)
    graph = sparse.coo_matrix((length, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return dijkstra(graph.tocsr().maximum(graph.tocsr().T), directed=False, limit=90.0)


def swap_sides(name: str) -> str:
    """The name of an expression's mirror image: Left and Right exchanged."""
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


def symmetric_expressions(
    fields: np.ndarray, names: list[str], mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expressions (E, V, 3) made exactly symmetric, and the permutation that mirrors them."""
    partner = np.array([names.index(swap_sides(name)) for name in names])
    return (fields + mirrored(fields[partner], mirror)) / 2, partner


def lids_that_meet(blink: np.ndarray, mean: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """A blink (V, 3) of one eye at whose full extent the upper lid meets the lower one.

    What lacks or is too much at each pair of facing vertices (n, 2: upper, lower) is added to
    the upper lid and fades over `LID_REACH_MM`.
    """
    upper, lower = pairs[np.abs(blink[pairs[:, 0]]).max(axis=1) > 0.05 * np.abs(blink).max()].T
    closed = mean + blink
    lack = (closed[lower] - closed[upper]) * [0.0, 1.0, 1.0]
    distance = np.linalg.norm(mean[:, None] - mean[upper], axis=2)
    kernel = np.exp(-((distance / LID_REACH_MM) ** 2))
    nearest = np.exp(-((distance.min(axis=1) / LID_REACH_MM) ** 2))
    share = kernel**4 / np.maximum((kernel**4).sum(axis=1, keepdims=True), 1e-12)
    moves = np.clip(-blink[:, 1] / (0.3 * np.abs(blink[:, 1]).max()), 0, 1)
    moves[lower] = 0.0
    result = blink + (share @ lack) * (nearest * moves)[:, None]
    result[upper] = blink[upper] + lack
    return result
