"""Shapes of the embedded model in another model's topology and coefficients."""

from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import AssetError, ConfigurationError
from mlanet.extras import install_command
from mlanet.geometry import MeshTopology, fit_similarity
from mlanet.morphable.arkit import are_arkit, weights_by_name
from mlanet.morphable.fitted_shape import FittedShape, fit_shape
from mlanet.morphable.linear import LinearShape
from mlanet.morphable.matching import edge_differences
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.registration import Registration, landmarks_of, register

EXTENSION_TIE = 1e-3
"""Weight of what the nearest covered vertices do beside smoothness, where nothing is covered."""

NEAREST = 8
LANDMARK_LIMIT_MM = 3.0
"""A landmark of the embedded model farther from the other surface is not taken over."""


def connect(embedded: MorphableModel, other: MorphableModel) -> tuple[MorphableModel, Registration]:
    """Another model with all that registration to the embedded one tells about it.

    It gets the correspondence, the embedded model's regions, and those landmarks that it lacks.

    Raises:
        AssetError: see `register`.
        ConfigurationError: scipy is not installed.
    """
    _need_scipy()
    found = register(embedded, other)
    link = found.correspondence
    corners = embedded.topology.faces[link.face_index]
    regions = {
        name: np.where(
            link.covered, (embedded.region(name)[corners] * link.barycentric).sum(axis=1), 0.0
        ).astype(np.float32)
        for name in embedded.regions
    }
    places = landmarks_of(embedded, found.surface, other)
    take = ~other.known_landmarks & (places.distance < LANDMARK_LIMIT_MM)
    faces = np.where(take, places.face_index, other.landmark_faces).astype(np.int32)
    barycentric = np.where(take[:, None], places.barycentric, other.landmark_barycentric)
    return (
        replace(
            other,
            regions=regions,
            landmark_faces=faces,
            landmark_barycentric=barycentric.astype(np.float32),
            correspondence=link,
        ),
        found,
    )


def _need_scipy() -> None:
    if find_spec("scipy") is None:
        needed = install_command("models")
        raise ConfigurationError(f"carrying shapes to other face models needs: {needed}")


class Transfer:
    """Carries shapes and values of the embedded model's decoded mesh to another model."""

    def __init__(self, embedded: MorphableModel, other: MorphableModel) -> None:
        """Both models; the other one with its correspondence.

        Raises:
            AssetError: the other model has none, or one to another version of the embedded model.
            ConfigurationError: scipy is not installed.
        """
        link = other.correspondence
        if link is None:
            raise AssetError(
                f"the face model {other.name} has no correspondence to the embedded one:"
                " mlanet models convert SOURCE --out FILE writes it"
            )
        count = len(embedded.topology.faces)
        outside = link.face_index.min() < 0 or link.face_index.max() >= count
        if link.model_sha256 != embedded.provenance.sha256 or outside:
            raise AssetError(
                f"the face model {other.name} was converted for another version of the embedded"
                " model: convert it again (mlanet models convert)"
            )
        self.embedded = embedded
        self.other = other
        self.covered = link.covered
        self._corners = embedded.topology.faces[link.face_index]
        self._weights = link.barycentric
        if not link.covered.all():
            _need_scipy()

    def values(self, values: Float[np.ndarray, "w c"]) -> Float[np.ndarray, "v c"]:
        """Values at the embedded model's vertices carried to the other model's.

        Where nothing is covered they are those of the nearest point.
        """
        return (values[self._corners] * self._weights[..., None]).sum(axis=1)

    @property
    def uv(self) -> Float[np.ndarray, "v 2"]:
        """Where the other model's vertices lie in the embedded model's texture."""
        assert self.other.correspondence is not None
        corners = self.embedded.uv_faces[self.other.correspondence.face_index]
        return (self.embedded.uv[corners] * self._weights[..., None]).sum(axis=1)

    def vertices(self, vertices: Float[np.ndarray, "w 3"]) -> Float[np.ndarray, "v 3"]:
        """A shape of the embedded model (mm, any frame) in the other model's topology.

        Covered vertices lie on the shape's surface. The rest is the other model's mean, moved and
        smoothly deformed so that it goes on from them.
        """
        found = self.values(np.asarray(vertices, dtype=np.float64))
        covered, mean = self.covered, np.asarray(self.other.shape.mean, dtype=np.float64)
        if covered.all():
            return found
        motion = fit_similarity(mean[covered], found[covered])
        rest = motion.apply(mean)
        return np.where(covered[:, None], found, rest + self._extend(found - rest))

    def fit(self, vertices: Float[np.ndarray, "w 3"]) -> FittedShape:
        """The other model's coefficients for a shape of the embedded model (mm, any frame)."""
        return fit_shape(
            self.other.shape.only(np.flatnonzero(self.covered)),
            self.values(np.asarray(vertices, dtype=np.float64))[self.covered],
            bounded=self.other.expression_bounded,
        )

    def coefficients(
        self, identity: Float[np.ndarray, "i"], expression: Float[np.ndarray, "e"]
    ) -> FittedShape:
        """The other model's coefficients for those of the embedded model.

        Expressions of the same names (ARKit's) keep their weights, and identity is fitted to the
        face at rest; else both are fitted to the face as it is.
        """
        names, others = self.embedded.expression_names, self.other.expression_names
        if not are_arkit(others, names):
            return self.fit(self.embedded.vertices(identity, expression))
        rest = self.fit_identity(self.embedded.vertices(identity, np.zeros_like(expression)))
        weights = dict(zip(names, map(float, expression), strict=True))
        return replace(rest, expression=np.array(weights_by_name(others, weights), np.float32))

    def described(
        self, identity: Float[np.ndarray, "i"], expression: Float[np.ndarray, "e"]
    ) -> dict[str, Any]:
        """The other model and its coefficients for these, as plain values for files."""
        fitted, other = self.coefficients(identity, expression), self.other
        weights = zip(other.expression_names, fitted.expression.tolist(), strict=True)
        motion = fitted.motion
        return {
            "face_model": other.name,
            "face_model_licence": other.provenance.licence,
            "face_model_sha256": other.provenance.sha256,
            "covered": round(float(self.covered.mean()), 4),
            "identity": [round(value, 5) for value in fitted.identity.tolist()],
            "expression": {name: round(value, 5) for name, value in weights},
            "fit_error_mm": round(fitted.error_mm, 3),
            "scale": round(motion.scale, 6),
            "rotation": np.round(np.asarray(motion.rotation, np.float64), 7).tolist(),
            "translation_mm": np.round(np.asarray(motion.translation, np.float64), 4).tolist(),
        }

    def fit_identity(self, vertices: Float[np.ndarray, "w 3"]) -> FittedShape:
        """As `fit`, for a face at rest: all expressions are zero."""
        shape = self.other.shape.only(np.flatnonzero(self.covered))
        still = LinearShape(shape.mean, shape.identity, shape.expression[..., :0])
        goal = self.values(np.asarray(vertices, dtype=np.float64))[self.covered]
        found = fit_shape(still, goal, bounded=False)
        return replace(found, expression=np.zeros(shape.expression.shape[-1], np.float32))

    def fit_embedded(self, vertices: Float[np.ndarray, "v 3"]) -> FittedShape:
        """The embedded model's coefficients for vertices of the other model (mm, any frame)."""
        chosen = np.flatnonzero(self.covered)
        return fit_shape(
            self._embedded_points,
            np.asarray(vertices, dtype=np.float64)[chosen],
            bounded=self.embedded.expression_bounded,
        )

    @cached_property
    def _embedded_points(self) -> LinearShape:
        """The embedded model at the covered vertices."""

        def decoded(modes: Float[np.ndarray, "v 3 k"]) -> Float[np.ndarray, "w 3 k"]:
            fine = self.embedded.subdivide(modes.reshape(len(modes), -1))
            return fine.reshape(-1, *modes.shape[1:])

        shape = self.embedded.shape
        fine = LinearShape(
            self.embedded.subdivide(shape.mean), decoded(shape.identity), decoded(shape.expression)
        )
        return fine.at(self._corners[self.covered], self._weights[self.covered])

    def _extend(self, offsets: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
        """Offsets of covered vertices continued over the rest, as smoothly as the mesh allows."""
        right = self._coupling @ offsets[self.covered]
        found = np.zeros_like(offsets)
        found[~self.covered] = self._factors.solve(np.asarray(right))
        return found

    @cached_property
    def _system(self) -> tuple[Any, Any]:
        """The matrix of the vertices that are not covered, and how it depends on the others.

        Minimises the squared graph Laplacian plus a tie to the nearest covered vertices, which
        alone moves what hangs on nothing that is covered (eyeballs, teeth).
        """
        from scipy.sparse import csr_matrix, diags
        from scipy.spatial import KDTree

        topology = MeshTopology(self.other.base_faces, self.other.num_base_vertices)
        differences = edge_differences(topology)
        laplacian: Any = differences.T @ differences
        degree = np.maximum(laplacian.diagonal(), 1.0)
        laplacian = diags(1.0 / degree) @ laplacian
        smooth = (laplacian.T @ laplacian).tocsr()
        free, fixed = np.flatnonzero(~self.covered), np.flatnonzero(self.covered)
        mean = self.other.shape.mean
        count = min(NEAREST, len(fixed))
        distance, nearest = KDTree(mean[fixed]).query(mean[free], k=count)
        weight = 1.0 / (distance.reshape(len(free), count) + 1.0)
        weight /= weight.sum(axis=1, keepdims=True)
        row = np.repeat(np.arange(len(free)), count)
        tie: Any = csr_matrix(
            (weight.reshape(-1), (row, nearest.reshape(-1))), shape=(len(free), len(fixed))
        )
        matrix = smooth[free][:, free] + EXTENSION_TIE * diags(np.ones(len(free)))
        return matrix.tocsc(), EXTENSION_TIE * tie - smooth[free][:, fixed]

    @cached_property
    def _factors(self) -> Any:
        from scipy.sparse.linalg import splu

        return splu(self._system[0])

    @property
    def _coupling(self) -> Any:
        return self._system[1]
