"""The Basel Face Model of 2009 in the three forms that circulate as .mat files.

Paysan et al., "A 3D face model for pose and illumination invariant face recognition", AVSS 2009.
Lengths are micrometres unless stated; indices are one-based. Which form a file has is told by
its variables; companions, which say nothing of themselves, are found by their usual names.
"""

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.files import parsing, printable, read_bytes, read_text, start_of
from mlanet.files.numpyfiles import MAX_BYTES
from mlanet.morphable.model import NUM_LANDMARKS, MorphableModel
from mlanet.morphable.native import sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble, interleaved, scaled
from mlanet.morphable.readers.matlab import read_mat, required, variable_names

OBTAINED = "the Basel Face Model 2009 is obtained from https://faces.dmi.unibas.ch/bfm/"
DEEP3D = f"{OBTAINED}; BFM_model_front.mat is made from it by Deep3DFaceRecon's own script"
GUO = (
    "Exp_Pca.bin and std_exp.txt are obtained from https://github.com/Juyong/3DFace,"
    " BFM_exp_idx.mat from https://github.com/microsoft/Deep3DFaceReconstruction"
)
THREE_DDFA = (
    f"{OBTAINED}; Model_Shape.mat and Model_Expression.mat come from the 3DDFA and Face Profiling"
    " code of http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm"
)
MATLAB_7_3 = b"MATLAB 7.3 MAT-file"

LICENCE = "Basel Face Model licence: signed form, non-commercial research; not to be passed on"
WHITE = 255.0
MM_PER_MICROMETRE = 1e-3
MM_PER_DECIMETRE = 100.0


def read_basel_mat(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """A Basel Face Model of 2009.

    Raises:
        AssetError: the file or a companion is missing, damaged or lacks a variable.
    """
    if start_of(path, len(MATLAB_7_3), AssetError).startswith(MATLAB_7_3):
        raise AssetError(f"{path}: a .mat file of version 7.3; save it with -v7 in MATLAB")
    names = variable_names(path)
    read = next(
        (
            reader
            for telling, reader in (
                ({"meanshape", "idBase"}, _deep3d),
                ({"shapeMU", "shapePC"}, _original),
                ({"mu_shape", "w"}, _three_ddfa),
            )
            if telling & names
        ),
        None,
    )
    if read is None:
        listed = printable(", ".join(sorted(names)[:8])) or "nothing"
        raise AssetError(f"{path}: not a face model: a .mat file that holds {listed}; {OBTAINED}")
    with parsing(path, f"a damaged Basel Face Model; {OBTAINED}", AssetError):
        parts = read(path)
    return assemble(parts, path, landmarks)


def _deep3d(path: Path) -> Parts:
    """`BFM_model_front.mat` of Deep3DFaceRecon (Deng et al., 2019): 80 + 64 modes, decimetres."""
    names = ("meanshape", "idBase", "exBase", "meantex", "texBase", "tri", "keypoints")
    given = read_mat(path, names, DEEP3D)
    values = {name: required(given, name, path, DEEP3D) for name in names}
    return Parts(
        name="Basel Face Model 2009 (Deep3DFaceRecon)",
        millimetres=MM_PER_DECIMETRE,
        mean=interleaved(values["meanshape"].reshape(-1), "meanshape"),
        identity=interleaved(values["idBase"], "idBase"),
        expression=interleaved(values["exBase"], "exBase"),
        faces=_triangles(values["tri"]),
        provenance=_provenance("basel 2009 (Deep3DFaceRecon)", path),
        albedo_mean=interleaved(values["meantex"].reshape(-1), "meantex") / WHITE,
        albedo=interleaved(values["texBase"], "texBase") / WHITE,
        landmarks=_keypoints(values["keypoints"]),
    )


def _original(path: Path) -> Parts:
    """`01_MorphableModel.mat`, and beside it, if there, the expressions of Guo et al. (2018)."""
    names = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")
    given = read_mat(path, names, OBTAINED)
    values = {name: required(given, name, path, OBTAINED) for name in names}
    mean = interleaved(values["shapeMU"].reshape(-1), "shapeMU")
    identity = interleaved(
        scaled(values["shapePC"], values["shapeEV"].reshape(-1), "shapePC"), "shapePC"
    )
    colors = interleaved(values["texMU"].reshape(-1), "texMU") / WHITE
    modes = scaled(values["texPC"], values["texEV"].reshape(-1), "texPC")
    albedo = interleaved(modes, "texPC") / np.float32(WHITE)
    faces = _triangles(values["tl"])
    expression = np.zeros((*mean.shape, 0), np.float32)
    landmarks: dict[int, int] = {}
    folder, files = path.parent, [path]
    if (folder / "Exp_Pca.bin").exists():
        trimmed, expression, files = _guo_expressions(folder, len(mean))
        files = [path, *files]
        mean, identity = mean[trimmed], identity[trimmed]
        colors, albedo = colors[trimmed], albedo[trimmed]
        faces = _only(faces, trimmed, len(values["shapeMU"].reshape(-1)) // 3)
        for name in ("model_info.mat", "BFM09_model_info.mat"):  # 3DDFA's, in the trimmed order
            if (folder / name).exists():
                info = read_mat(folder / name, ("keypoints",), THREE_DDFA)
                landmarks = _keypoints(required(info, "keypoints", folder / name, THREE_DDFA))
                files.append(folder / name)
                break
    return Parts(
        name="Basel Face Model 2009",
        millimetres=MM_PER_MICROMETRE,
        mean=mean,
        identity=identity,
        expression=expression,
        faces=faces,
        provenance=_provenance("basel 2009", *files),
        albedo_mean=colors,
        albedo=albedo,
        landmarks=landmarks,
    )


def _three_ddfa(path: Path) -> Parts:
    """3DDFA's `Model_Shape.mat` with `Model_Expression.mat` beside it (Zhu et al., 2016)."""
    beside = path.parent / "Model_Expression.mat"
    given = read_mat(path, ("mu_shape", "w", "sigma", "tri", "keypoints"), THREE_DDFA)
    shape = {name: required(given, name, path, THREE_DDFA) for name in ("mu_shape", "w", "tri")}
    given_expression = read_mat(beside, ("mu_exp", "w_exp", "sigma_exp"), THREE_DDFA)
    expression = {
        name: required(given_expression, name, beside, THREE_DDFA)
        for name in ("mu_exp", "w_exp", "sigma_exp")
    }
    sigma = required(given, "sigma", path, THREE_DDFA).reshape(-1)
    sigma_exp = expression["sigma_exp"].reshape(-1)
    mean = shape["mu_shape"].reshape(-1, order="F") + expression["mu_exp"].reshape(-1, order="F")
    return Parts(
        name="Basel Face Model 2009 (3DDFA)",
        millimetres=MM_PER_MICROMETRE,
        mean=interleaved(mean, "mu_shape"),
        identity=interleaved(scaled(shape["w"], sigma, "w"), "w"),
        expression=interleaved(scaled(expression["w_exp"], sigma_exp, "w_exp"), "w_exp"),
        faces=_triangles(shape["tri"]),
        provenance=_provenance("basel 2009 (3DDFA)", path, beside),
        landmarks=_keypoints(given["keypoints"]) if "keypoints" in given else {},
        identity_sd=sigma,
        expression_sd=sigma_exp,
    )


def _guo_expressions(
    folder: Path, num_vertices: int
) -> tuple[Int[np.ndarray, "t"], Float[np.ndarray, "t 3 e"], list[Path]]:
    """Which vertices the expressions of Guo et al. (2018) move, their modes, the files.

    `Exp_Pca.bin`: the number of modes as int32, then mean and modes as float32, one mode after
    another. The mean is left out, as by everybody who uses the file.
    """
    binary, text, index = (
        folder / name for name in ("Exp_Pca.bin", "std_exp.txt", "BFM_exp_idx.mat")
    )
    for companion in (text, index):
        if not companion.exists():
            raise AssetError(f"{companion}: missing beside Exp_Pca.bin; {GUO}")
    variables = read_mat(index, ("trimIndex",), GUO)
    trimmed = required(variables, "trimIndex", index, GUO).reshape(-1).astype(np.int64) - 1
    if not len(trimmed) or trimmed.min() < 0 or trimmed.max() >= num_vertices:
        raise AssetError(f"{index}: trimIndex must index the model's {num_vertices} vertices")
    data = read_bytes(binary, AssetError, MAX_BYTES)
    rows = 3 * len(trimmed)
    count = struct.unpack("<i", data[:4])[0] if len(data) >= 4 else 0
    if count < 1 or len(data) != 4 + 4 * rows * (1 + count):
        raise AssetError(f"{binary}: not the modes of {len(trimmed)} vertices; {GUO}")
    modes = np.frombuffer(data, "<f4", offset=4 + 4 * rows).reshape(count, rows)
    with parsing(text, f"not a list of numbers; {GUO}", AssetError):
        words = read_text(text, AssetError).split()
        if len(words) > count + 1:
            raise ValueError(f"{len(words)} words")
        deviations = np.array([float(word) for word in words], np.float32)
    if len(deviations) != count:
        raise AssetError(f"{text}: {len(deviations)} standard deviations for {count} modes; {GUO}")
    basis = interleaved(scaled(modes.T, deviations, binary.name), binary.name)
    return trimmed, basis, [binary, text, index]


def _triangles(one_based: Int[np.ndarray, "..."]) -> Int[np.ndarray, "f 3"]:
    """Zero-based triangles of a matrix with three columns or three rows."""
    values = one_based.astype(np.int64) - 1
    return values if values.shape[-1] == 3 else values.T


def _keypoints(one_based: Int[np.ndarray, "..."]) -> dict[int, int]:
    vertices = one_based.reshape(-1).astype(np.int64) - 1
    if len(vertices) != NUM_LANDMARKS:
        raise ValueError(f"{len(vertices)} keypoints")
    return dict(enumerate(vertices.tolist()))


def _only(
    faces: Int[np.ndarray, "f 3"], kept: Int[np.ndarray, "t"], num_vertices: int
) -> Int[np.ndarray, "g 3"]:
    """The triangles between kept vertices, in their numbers."""
    number = np.full(num_vertices, -1)
    number[kept] = np.arange(len(kept))
    renumbered = number[faces]
    return renumbered[(renumbered >= 0).all(axis=1)]


def _provenance(kind: str, *files: Path) -> Provenance:
    return Provenance(kind, LICENCE, "https://faces.dmi.unibas.ch/bfm/", sha256_of(*files))
