"""The morphable model: shape, albedo, topology, landmarks and regions of faces."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from array_api_compat import array_namespace, device
from jaxtyping import Float, Int

from mlanet.assets import verified_path
from mlanet.coefficients import Array, CoefficientLayout
from mlanet.errors import AssetError
from mlanet.geometry import Mesh, MeshTopology, subdivide_faces, vertex_normals
from mlanet.morphable.linear import LinearShape, linear_combination

FORMAT = "mlanet-face-model-1"
NUM_LANDMARKS = 68


@dataclass(frozen=True, eq=False)
class MorphableModel:
    """A linear face model on a base mesh of `v` vertices that is subdivided once after decoding.

    Frame and unit are those of docs/conventions.md (mm; x to the subject's left, y up, z out of
    the face). Identity and albedo modes are scaled to unit standard deviation; a value of 1 of
    an expression mode is its full extent. Subdivision appends one vertex for each edge.
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

    @classmethod
    def load(cls, path: Path | None = None) -> "MorphableModel":
        """The embedded model, or one in our own format (npz without pickles).

        Raises:
            AssetError: the file is missing, truncated or of another format.
        """
        return read_model(verified_path("open_face") if path is None else path)

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
        """The model of the 68 landmarks alone."""
        return self.shape.at(self.base_faces[self.landmark_faces], self.landmark_barycentric)

    @cached_property
    def topology(self) -> MeshTopology:
        """Triangles of the subdivided mesh."""
        faces, _ = subdivide_faces(self.base_faces, len(self.base_uv))
        return MeshTopology(faces, len(self.base_uv) + len(self.midpoint_index))

    @cached_property
    def uv(self) -> Float[np.ndarray, "w 2"]:
        """Texture coordinates of the subdivided mesh: one for each vertex, without overlaps."""
        ends = self.base_uv[self.midpoint_index[:, :2]]
        return np.concatenate([self.base_uv, ends.mean(axis=1)])

    def subdivide(self, values: Float[Array, "*b v c"]) -> Float[Array, "*b w c"]:
        """Values at base vertices carried to the subdivided mesh (butterfly scheme)."""
        xp, place = array_namespace(values), device(values)
        index = xp.asarray(self.midpoint_index, device=place)
        weight = xp.asarray(self.midpoint_weight, dtype=values.dtype, device=place)
        around = xp.take(values, xp.reshape(index, (-1,)), axis=-2)
        shape = (*values.shape[:-2], *index.shape, values.shape[-1])
        middle = xp.matmul(weight[:, None, :], xp.reshape(around, shape))[..., 0, :]
        return xp.concat([values, middle], axis=-2)

    def region(self, *names: str) -> Float[np.ndarray, "w"]:
        """Largest of some regions' masks on the subdivided mesh, in [0, 1].

        Raises:
            ValueError: there is no such region; the message lists them.
        """
        unknown = set(names) - set(self.regions)
        if unknown:
            raise ValueError(f"no region {sorted(unknown)}; there are {sorted(self.regions)}")
        base = np.maximum.reduce([self.regions[name] for name in names])
        ends = base[self.midpoint_index[:, :2]]
        return np.concatenate([base, ends.mean(axis=1)])

    def vertices(
        self, identity: Float[np.ndarray, "*b i"], expression: Float[np.ndarray, "*b e"]
    ) -> Float[np.ndarray, "*b w 3"]:
        """Vertices of the subdivided mesh, mm."""
        return self.subdivide(self.shape(identity, expression))

    def albedo(self, coefficients: Float[np.ndarray, "*b a"]) -> Float[np.ndarray, "*b w 3"]:
        """Albedo at the subdivided mesh's vertices: sRGB in [0, 1]."""
        base = linear_combination(self.albedo_mean, self.albedo_basis, coefficients)
        ends = np.take(base, self.midpoint_index[:, :2], axis=-2).mean(axis=-2)
        return np.clip(np.concatenate([base, ends], axis=-2), 0.0, 1.0)

    def mesh(
        self,
        identity: Float[np.ndarray, "i"],
        expression: Float[np.ndarray, "e"],
        albedo: Float[np.ndarray, "a"],
    ) -> Mesh:
        """The subdivided mesh with albedo colours and texture coordinates, model frame, mm."""
        return Mesh(
            vertices=self.vertices(identity, expression),
            faces=self.topology.faces,
            colors=self.albedo(albedo),
            uv=self.uv,
            uv_faces=self.topology.faces,
        )

    def normals(self, vertices: Float[np.ndarray, "*b w 3"]) -> Float[np.ndarray, "*b w 3"]:
        """Area-weighted unit normals of the subdivided mesh, in the vertices' frame."""
        return vertex_normals(vertices, self.topology.faces, self.topology.faces_of_vertex)


def read_model(path: Path) -> MorphableModel:
    """Read a model in our own npz format.

    Raises:
        AssetError: the file is missing, truncated or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {key: file[key] for key in file.files}
    except FileNotFoundError as error:
        raise AssetError(f"{path}: no such face model") from error
    except (OSError, ValueError, TypeError, BadZipFile, EOFError, zlib.error) as error:
        raise AssetError(f"{path}: not a face model in mlanet's npz format") from error
    if str(data.get("format")) != FORMAT:
        raise AssetError(f"{path}: not a face model in mlanet's npz format ({FORMAT})")
    try:
        model = MorphableModel(
            name=str(data["name"]),
            shape=LinearShape(
                *(data[key].astype(np.float32) for key in ("mean", "identity", "expression"))
            ),
            albedo_mean=data["albedo_mean"].astype(np.float32),
            albedo_basis=data["albedo"].astype(np.float32),
            base_faces=data["faces"].astype(np.int32),
            base_uv=data["uv"].astype(np.float32),
            midpoint_index=data["midpoint_index"].astype(np.int32),
            midpoint_weight=data["midpoint_weight"].astype(np.float32),
            landmark_faces=data["landmark_faces"].astype(np.int32),
            landmark_barycentric=data["landmark_barycentric"].astype(np.float32),
            mirror=data["mirror"].astype(np.int32),
            identity_mirror=data["identity_mirror"].astype(np.float32),
            expression_mirror=data["expression_mirror"].astype(np.int32),
            identity_names=tuple(data["identity_names"].tolist()),
            expression_names=tuple(data["expression_names"].tolist()),
            albedo_names=tuple(data["albedo_names"].tolist()),
            regions=dict(
                zip(
                    data["region_names"].tolist(),
                    data["regions"].T.astype(np.float32),
                    strict=True,
                )
            ),
        )
        _check_shapes(model, path)
    except KeyError as error:
        raise AssetError(f"{path}: the face model lacks {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise AssetError(f"{path}: an array of the face model is malformed") from error
    return model


def _check_shapes(model: MorphableModel, path: Path) -> None:
    v, f, e = len(model.shape.mean), len(model.base_faces), len(model.midpoint_index)
    modes = [len(names) for names in (model.identity_names, model.expression_names)]
    expected = {
        "mean": (model.shape.mean, (v, 3)),
        "identity": (model.shape.identity, (v, 3, modes[0])),
        "expression": (model.shape.expression, (v, 3, modes[1])),
        "albedo_mean": (model.albedo_mean, (v, 3)),
        "albedo": (model.albedo_basis, (v, 3, len(model.albedo_names))),
        "faces": (model.base_faces, (f, 3)),
        "uv": (model.base_uv, (v, 2)),
        "midpoint_index": (model.midpoint_index, (e, 8)),
        "midpoint_weight": (model.midpoint_weight, (e, 8)),
        "landmark_faces": (model.landmark_faces, (NUM_LANDMARKS,)),
        "landmark_barycentric": (model.landmark_barycentric, (NUM_LANDMARKS, 3)),
        "mirror": (model.mirror, (v,)),
        "identity_mirror": (model.identity_mirror, modes[:1]),
        "expression_mirror": (model.expression_mirror, modes[1:]),
        **{f"regions ({name})": (mask, (v,)) for name, mask in model.regions.items()},
    }
    for name, (array, shape) in expected.items():
        if array.shape != tuple(shape):
            raise AssetError(f"{path}: {name} must be {tuple(shape)}, got {array.shape}")
        if not np.isfinite(array).all():
            raise AssetError(f"{path}: {name} holds numbers that are not finite")
    for name, count in (
        ("faces", v),
        ("midpoint_index", v),
        ("mirror", v),
        ("landmark_faces", f),
        ("expression_mirror", modes[1]),
    ):
        index = expected[name][0]
        if index.size and (index.min() < 0 or index.max() >= count):
            raise AssetError(f"{path}: {name} must index {count} elements")
    edges = len(MeshTopology(model.base_faces, v).edges)
    if e != edges:
        raise AssetError(f"{path}: midpoint_index must have a row for each of {edges} edges")
