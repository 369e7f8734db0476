"""The morphable model: shape, albedo, topology, landmarks and regions of faces."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import device
from jaxtyping import Bool, Float, Int

from mlanet.coefficients import Array, CoefficientLayout, array_namespace
from mlanet.errors import AssetError, ConfigurationError
from mlanet.geometry import Mesh, MeshTopology, subdivide_faces, vertex_normals
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.provenance import Provenance
from mlanet.pickling import PickledFields

NUM_LANDMARKS = 68
FACE_REGIONS = ("face", "eyes", "mouth")
"""Regions of the face model that make up the face: not the ears, the neck and the hair."""

UNKNOWN = -1
"""Face index of a landmark whose place on a model is not known."""

_PACKED, _PART, _FEW, _ROWS = 4, 4096, 12, 256
"""Columns of values up to which a row is looked up in one piece, so many at a time, or each column
by itself, and else rows that are at a time."""


@dataclass(frozen=True, eq=False)
class MorphableModel(PickledFields):
    """A linear face model on a base mesh of `v` vertices, subdivided once after decoding or not.

    Frame and unit are those of docs/reference/conventions.md (mm; x to the subject's left, y up, z
    out of
    the face). Identity and albedo modes are scaled to unit standard deviation. Every part that a
    model may lack has an empty form, and what needs it says so when it is asked for.

    Attributes:
        name: of the model, for people.
        shape: mean, identity and expression modes of the base mesh, mm.
        albedo_mean: sRGB in [0, 1]; without albedo `(0, 3)`.
        albedo_basis: modes of the albedo; without albedo `(0, 3, 0)`.
        base_faces: triangles of the base mesh.
        base_uv: texture coordinates; without them `(0, 2)`.
        midpoint_index: vertices that make a new one for each edge; without subdivision `(0, 8)`.
        midpoint_weight: their weights.
        landmark_faces: triangle of each of the 68 landmarks, `UNKNOWN` where it is not known.
        landmark_barycentric: weights of that triangle's corners.
        mirror: vertex on the other side; empty where not known, as the next two.
        identity_mirror: sign of each identity mode under mirroring.
        expression_mirror: expression mode that each one becomes under mirroring.
        identity_names: of the modes, as the next two.
        expression_names: ARKit's names where the modes are ARKit's.
        albedo_names: of the modes.
        regions: masks in [0, 1] by name.
        base_uv_faces: triangles of texture coordinates where the texture has seams; None where
            there is one coordinate for each vertex.
        expression_bounded: expressions are blend shapes with weights in [0, 1], else unit normal.
        identity_sd: standard deviation of the modes in the coefficients of the source's own
            literature where these are not unit normal; empty where they are.
        expression_sd: the same of the expression modes.
        provenance: whose model it is.
        correspondence: to the embedded model, where the file stores it.
        part_names: separate meshes of the head: `skin`, `eye_left`, `teeth_upper` and the like;
            empty where the model is one surface.
        vertex_parts: number of each base vertex's part; without parts `(0,)`.
        eye_poles: base vertices at the front and at the back of the left and of the right
            eyeball, whose middle is its centre; without eyeballs `(0, 2)`.
        loader: gives the same model in any process, so that pickles hold no arrays; None of models
            that do not ship, and of changed ones.
    """

    name: str
    shape: LinearShape
    albedo_mean: Float[np.ndarray, "v 3"]
    albedo_basis: Float[np.ndarray, "v 3 a"]
    base_faces: Int[np.ndarray, "f 3"]
    base_uv: Float[np.ndarray, "v 2"]
    midpoint_index: Int[np.ndarray, "m 8"]
    midpoint_weight: Float[np.ndarray, "m 8"]
    landmark_faces: Int[np.ndarray, "68"]
    landmark_barycentric: Float[np.ndarray, "68 3"]
    mirror: Int[np.ndarray, "v"]
    identity_mirror: Float[np.ndarray, "i"]
    expression_mirror: Int[np.ndarray, "e"]
    identity_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    albedo_names: tuple[str, ...]
    regions: dict[str, Float[np.ndarray, "v"]]
    base_uv_faces: Int[np.ndarray, "f 3"] | None = None
    expression_bounded: bool = True
    identity_sd: Float[np.ndarray, "i"] = field(default_factory=lambda: np.zeros(0, np.float32))
    expression_sd: Float[np.ndarray, "e"] = field(default_factory=lambda: np.zeros(0, np.float32))
    provenance: Provenance = field(default_factory=Provenance)
    correspondence: Correspondence | None = None
    part_names: tuple[str, ...] = ()
    vertex_parts: Int[np.ndarray, "v"] = field(default_factory=lambda: np.zeros(0, np.int32))
    eye_poles: Int[np.ndarray, "k 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    loader: "Callable[[], MorphableModel] | None" = field(default=None, init=False, repr=False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """The loader where there is one, else all fields."""
        if self.loader is not None:
            return self.loader, ()
        return super().__reduce_ex__(protocol)

    @property
    def num_base_vertices(self) -> int:
        """Vertices before subdivision."""
        return len(self.shape.mean)

    @property
    def subdivided(self) -> bool:
        """Whether decoding adds a vertex for each edge."""
        return len(self.midpoint_index) > 0

    @property
    def has_albedo(self) -> bool:
        """Whether the model has colours."""
        return len(self.albedo_mean) > 0

    @property
    def known_landmarks(self) -> Bool[np.ndarray, "68"]:
        """Which of the 68 landmarks have a place."""
        return self.landmark_faces != UNKNOWN

    @property
    def mirrors_modes(self) -> bool:
        """Whether it is known which coefficients the mirror image of a face has."""
        signs, partners = len(self.identity_mirror), len(self.expression_mirror)
        return signs == self.layout.identity and partners == self.layout.expression

    def first_modes(self, identity: int, expression: int, albedo: int) -> "MorphableModel":
        """The model with the first modes of each kind alone.

        Raises:
            ConfigurationError: it has fewer, or expressions that are one another's mirror images
                would be parted.
        """
        wanted = {"identity": identity, "expression": expression, "albedo": albedo}
        for name, count in wanted.items():
            if not 0 <= count <= self.layout.sizes[name]:
                there = self.layout.sizes[name]
                raise ConfigurationError(f"{name}: {count} of the model's {there} modes")
        partners = self.expression_mirror[:expression]
        if (partners >= expression).any():
            raise ConfigurationError(f"expression: mode {expression} parts a pair of mirror images")
        shape = self.shape
        return replace(
            self,
            shape=replace(
                shape,
                identity=shape.identity[..., :identity],
                expression=shape.expression[..., :expression],
            ),
            albedo_basis=self.albedo_basis[..., :albedo],
            identity_mirror=self.identity_mirror[:identity],
            expression_mirror=partners,
            identity_names=self.identity_names[:identity],
            expression_names=self.expression_names[:expression],
            albedo_names=self.albedo_names[:albedo],
            identity_sd=self.identity_sd[:identity],
            expression_sd=self.expression_sd[:expression],
        )

    @property
    def layout(self) -> CoefficientLayout:
        """The coefficients that drive this model."""
        return CoefficientLayout(
            identity=self.shape.identity.shape[-1],
            expression=self.shape.expression.shape[-1],
            albedo=self.albedo_basis.shape[-1],
        )

    @cached_property
    def landmarks(self) -> LinearShape:
        """The model of the 68 landmarks alone.

        Raises:
            AssetError: the places of some of them are not known.
        """
        missing = np.flatnonzero(~self.known_landmarks)
        if len(missing):
            raise AssetError(
                f"the face model {self.name} lacks {len(missing)} of the 68 landmarks:"
                " give them with --landmarks FILE, or convert it (mlanet models convert)"
            )
        return self.surface_shape(self.landmark_faces, self.landmark_barycentric)

    def surface_shape(
        self, face_index: Int[np.ndarray, "n"], barycentric: Float[np.ndarray, "n 3"]
    ) -> LinearShape:
        """The model of `n` points on the base mesh alone."""
        return self.shape.at(self.base_faces[face_index], barycentric)

    @cached_property
    def topology(self) -> MeshTopology:
        """Triangles of the decoded mesh."""
        count = self.num_base_vertices
        if not self.subdivided:
            return MeshTopology(self.base_faces, count)
        faces, _ = subdivide_faces(self.base_faces, count)
        return MeshTopology(faces, count + len(self.midpoint_index))

    @cached_property
    def uv(self) -> Float[np.ndarray, "t 2"]:
        """Texture coordinates of the decoded mesh, indexed by `uv_faces`; `(0, 2)` if none."""
        if not len(self.base_uv) or not self.subdivided:
            return self.base_uv
        if self.base_uv_faces is None:
            return self._spread(self.base_uv)
        _, edges = subdivide_faces(self.base_uv_faces, len(self.base_uv))
        return np.concatenate([self.base_uv, self.base_uv[edges].mean(axis=1)])

    @cached_property
    def uv_faces(self) -> Int[np.ndarray, "g 3"]:
        """Triangles of texture coordinates: those of the mesh where the texture has no seams."""
        if self.base_uv_faces is None:
            return self.topology.faces
        if not self.subdivided:
            return self.base_uv_faces
        return subdivide_faces(self.base_uv_faces, len(self.base_uv))[0]

    def faces_of(self, *names: str) -> Bool[np.ndarray, "g"]:
        """Which triangles of the decoded mesh belong to some of the parts.

        Raises:
            ValueError: there is no such part; the message lists them.
        """
        unknown = set(names) - set(self.part_names)
        if unknown:
            raise ValueError(f"no part {sorted(unknown)}; there are {self.part_names or 'none'}")
        wanted = np.isin(self.vertex_parts, [self.part_names.index(name) for name in names])
        base = wanted[self.base_faces[:, 0]]
        return np.repeat(base, 4) if self.subdivided else base

    def eye_centres(self, vertices: Float[Array, "*b w 3"]) -> Float[Array, "*b k 3"]:
        """Centres of the left and the right eyeball among decoded vertices; none without them."""
        xp = array_namespace(vertices)
        front, back = (
            xp.take(vertices, xp.asarray(ends, device=device(vertices)), axis=-2)
            for ends in self.eye_poles.T
        )
        return (front + back) / 2

    def subdivide(self, values: Float[Array, "*b v c"]) -> Float[Array, "*b w c"]:
        """Values at base vertices carried to the decoded mesh (butterfly scheme)."""
        if not self.subdivided:
            return values
        if isinstance(values, np.ndarray):
            return self._subdivided(values)
        xp, place = array_namespace(values), device(values)
        index = xp.asarray(self.midpoint_index, device=place)
        weight = xp.asarray(self.midpoint_weight, dtype=values.dtype, device=place)
        around = xp.take(values, xp.reshape(index, (-1,)), axis=-2)
        shape = (*values.shape[:-2], *index.shape, values.shape[-1])
        middle = xp.matmul(weight[:, None, :], xp.reshape(around, shape))[..., 0, :]
        return xp.concat([values, middle], axis=-2)

    def _subdivided(self, values: Float[np.ndarray, "*b v c"]) -> np.ndarray:
        """As `subdivide`: a batch row by row, a single mesh in larger pieces."""
        columns = np.moveaxis(values, -2, 0)
        base = np.ascontiguousarray(columns.reshape(len(columns), -1))
        index, weight = self._midpoints
        every = np.empty((len(base) + len(index), base.shape[1]), np.result_type(base, weight))
        every[: len(base)] = base
        middle = every[len(base) :]
        if base.shape[1] <= _PACKED and every.dtype == np.float32:
            self._fill_packed(middle, every[: len(base)])
        elif base.shape[1] <= _FEW:
            for column, old in zip(middle.T, np.ascontiguousarray(base.T), strict=True):
                column[:] = np.einsum("me,me->m", np.take(old, index, mode="clip"), weight)
        else:
            for start in range(0, len(index), _ROWS):
                rows = slice(start, start + _ROWS)
                around = np.take(base, index[rows], axis=0, mode="clip")
                np.matmul(weight[rows, None], around, out=middle[rows, None])
        return np.moveaxis(every.reshape(-1, *columns.shape[1:]), 0, -2)

    def _fill_packed(
        self, middle: Float[np.ndarray, "m c"], base: Float[np.ndarray, "v c"]
    ) -> None:
        """Midpoints of up to four columns: a vertex is looked up as one number of 16 bytes.

        All are computed with the weights that most of them have, then the others once more.
        """
        parts, common, others = self._common_midpoints
        packed = np.zeros((len(base), _PACKED), np.float32)
        for k, column in enumerate(base.T):
            packed[:, k] = column
        start = 0
        for by_neighbour in parts:
            around = np.take(packed.view(np.complex128)[:, 0], by_neighbour, mode="clip")
            weighted = (common @ around.view(np.float32)).reshape(-1, _PACKED)
            for k, column in enumerate(middle[start : start + len(weighted)].T):
                column[:] = weighted[:, k]
            start += len(weighted)
        index, weight = (of_all[others] for of_all in self._midpoints)
        middle[others] = np.einsum("mec,me->mc", base[index], weight)

    @cached_property
    def _midpoints(self) -> tuple[Int[np.ndarray, "m 8"], Float[np.ndarray, "m 8"]]:
        """Indices, which are known to fit, and weights of the midpoints."""
        return self.midpoint_index.astype(np.intp), self.midpoint_weight

    @cached_property
    def _common_midpoints(
        self,
    ) -> tuple[list[Int[np.ndarray, "8 r"]], Float[np.ndarray, "8"], Int[np.ndarray, "k"]]:
        """Parts of the indices by neighbour, most midpoints' weights, and which have others."""
        index, weight = self._midpoints
        kinds, kind, counts = np.unique(weight, axis=0, return_inverse=True, return_counts=True)
        most = int(counts.argmax())
        starts = range(0, len(index), _PART)
        parts = [np.ascontiguousarray(index[start : start + _PART].T) for start in starts]
        return parts, kinds[most], np.flatnonzero(kind.ravel() != most)

    def region(self, *names: str) -> Float[np.ndarray, "w"]:
        """Largest of some regions' masks on the decoded mesh, in [0, 1].

        Raises:
            ValueError: there is no such region; the message lists them.
        """
        unknown = set(names) - set(self.regions)
        if unknown:
            known = sorted(self.regions) or "none (mlanet models convert adds them)"
            raise ValueError(f"no region {sorted(unknown)}; there are {known}")
        return self._spread(np.maximum.reduce([self.regions[name] for name in names]))

    def vertices(
        self, identity: Float[np.ndarray, "*b i"], expression: Float[np.ndarray, "*b e"]
    ) -> Float[np.ndarray, "*b w 3"]:
        """Vertices of the decoded mesh, mm."""
        return self.subdivide(self.shape(identity, expression))

    def albedo(self, coefficients: Float[np.ndarray, "*b a"]) -> Float[np.ndarray, "*b w 3"]:
        """Albedo at the decoded mesh's vertices: sRGB in [0, 1].

        Raises:
            ValueError: the model has no albedo.
        """
        if not self.has_albedo:
            raise ValueError(f"the face model {self.name} has no albedo")
        base = linear_combination(self.albedo_mean, self.albedo_basis, coefficients)
        return np.clip(self._spread(base, axis=-2), 0.0, 1.0)

    def mesh(
        self,
        identity: Float[np.ndarray, "i"],
        expression: Float[np.ndarray, "e"],
        albedo: Float[np.ndarray, "a"],
    ) -> Mesh:
        """The decoded mesh in the model frame, mm, with albedo and texture coordinates, if any."""
        vertices = self.vertices(identity, expression)
        return self.mesh_of(vertices, self.albedo(albedo) if self.has_albedo else None)

    def mesh_of(
        self, vertices: Float[np.ndarray, "w 3"], colors: Float[np.ndarray, "w 3"] | None = None
    ) -> Mesh:
        """Any vertices in the decoded mesh's topology, with its texture coordinates, if any."""
        textured = len(self.uv) > 0
        return Mesh(
            vertices=vertices,
            faces=self.topology.faces,
            colors=colors,
            uv=self.uv if textured else None,
            uv_faces=self.uv_faces if textured else None,
        )

    def standardized(
        self, identity: Float[np.ndarray, "*b i"], expression: Float[np.ndarray, "*b e"]
    ) -> tuple[Float[np.ndarray, "*b i"], Float[np.ndarray, "*b e"]]:
        """Coefficients of the source's literature in this class's units.

        3DDFA's parameters, and so those of 300W-LP and AFLW2000-3D, are not unit normal.
        """
        return (
            identity / self.identity_sd if len(self.identity_sd) else identity,
            expression / self.expression_sd if len(self.expression_sd) else expression,
        )

    def normals(self, vertices: Float[np.ndarray, "*b w 3"]) -> Float[np.ndarray, "*b w 3"]:
        """Area-weighted unit normals of the decoded mesh, in the vertices' frame."""
        return vertex_normals(vertices, self.topology.faces, self.topology.faces_of_vertex)

    def _spread(self, values: Float[np.ndarray, "..."], axis: int = 0) -> Float[np.ndarray, "..."]:
        """Values at base vertices with the mean of each edge's ends appended."""
        if not self.subdivided:
            return values
        middle = np.take(values, self.midpoint_index[:, :2], axis=axis)
        return np.concatenate([values, middle.mean(axis=axis if axis < 0 else axis + 1)], axis=axis)
