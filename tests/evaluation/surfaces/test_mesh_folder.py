import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation.surfaces.face_shape import SEVEN_POINTS, FaceComparison, FaceShape
from mlanet.evaluation.surfaces.mesh_folder import MeshFolder, MeshWriter
from mlanet.export import write_obj
from mlanet.geometry import Mesh
from mlanet.metrics import Surface

pytestmark = pytest.mark.usefixtures("with_scipy")

NAMES = ["a", "b/c"]


@pytest.fixture(scope="module")
def face(model):
    identity = np.random.default_rng(3).normal(size=model.layout.identity).astype(np.float32)
    return FaceComparison(model).face(identity)


@pytest.fixture
def folder(tmp_path, face):
    for name in NAMES:
        MeshWriter(tmp_path).add(name, face, missed=False)
    return tmp_path


def opened(folder, model, *, missed_too=True):
    return MeshFolder.open(folder, model.landmarks.mean, NAMES, missed_too=missed_too)


def test_a_face_comes_back(folder, model, face):
    read = opened(folder, model).face("b/c")
    assert np.array_equal(read.surface.vertices, face.surface.vertices)
    assert np.array_equal(read.surface.topology.faces, face.surface.topology.faces)
    assert np.array_equal(read.landmarks, face.landmarks)


def test_obj_files_other_units_places_and_seven_points(folder, model, face):
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    def moved(points):
        return 0.01 * points @ turn.T + 3.0

    (folder / "a.ply").unlink()
    faces = face.surface.topology.faces.astype(np.int32)
    write_obj(folder / "a.obj", Mesh(moved(face.surface.vertices), faces))
    np.save(folder / "a.npy", moved(face.landmarks)[list(SEVEN_POINTS)])
    read = opened(folder, model).face("a")
    assert len(read.landmarks) == 7
    np.testing.assert_allclose(read.surface.vertices, moved(face.surface.vertices), atol=1e-4)


def test_seams_of_textures_are_closed(folder, model, face):
    corners = face.surface.vertices[face.surface.topology.faces].reshape(-1, 3)
    soup = Surface(corners, np.arange(len(corners)).reshape(-1, 3))
    assert soup.topology.border_vertices.all()
    MeshWriter(folder).add("a", FaceShape(soup, face.landmarks), missed=False)
    read = opened(folder, model).face("a").surface
    assert len(read.vertices) == len(face.surface.vertices)
    assert read.topology.border_vertices.sum() == face.surface.topology.border_vertices.sum()


def test_missed_faces_need_a_mesh_or_none(folder, model):
    (folder / "missed.txt").write_text("a\n\n")
    (folder / "a.ply").unlink()
    assert opened(folder, model, missed_too=False).missed == {"a"}
    with pytest.raises(DataError, match=r"no mesh a\.obj or \.ply, as for 1 of the 2"):
        opened(folder, model)
    (folder / "missed.txt").write_text("x")
    with pytest.raises(DataError, match="x is no prediction"):
        opened(folder, model, missed_too=False)


def without_landmarks(folder, face):
    (folder / "a.npy").unlink()


def wrong_shape(folder, face):
    np.save(folder / "a.npy", face.landmarks[:9])


def not_finite(folder, face):
    np.save(folder / "a.npy", np.where(np.eye(68, 3) > 0, np.nan, face.landmarks))


def objects(folder, face):
    np.save(folder / "a.npy", np.array([{}] * 7, dtype=object), allow_pickle=True)


def huge(folder, face):
    np.save(folder / "a.npy", face.landmarks * 1e9)


def one_point(folder, face):
    np.save(folder / "a.npy", np.ones((7, 3)))


def wrong_order(folder, face):
    np.save(folder / "a.npy", face.landmarks[list(SEVEN_POINTS[::-1])])


def mirrored(folder, face):
    np.save(folder / "a.npy", face.landmarks * [1.0, 1.0, -1.0])


def two_meshes(folder, face):
    (folder / "a.obj").write_text("v 0 0 0\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_landmarks, "no such file of landmarks"),
        (wrong_shape, "expected, got"),
        (not_finite, "not finite"),
        (objects, "not a readable npy"),
        (huge, "beyond"),
        (one_point, "not the landmarks of a face"),
        (wrong_order, "not the landmarks of a face"),
        (mirrored, "mirrored"),
        (two_meshes, "both"),
    ],
)
def test_bad_landmarks_are_refused_before_anything_is_scored(folder, model, face, change, message):
    change(folder, face)
    with pytest.raises(DataError, match=message) as caught:
        opened(folder, model)
    assert "\n" not in str(caught.value)


def damaged(folder, face):
    data = (folder / "a.ply").read_bytes()
    (folder / "a.ply").write_bytes(data[: len(data) // 2])


def no_triangles(folder, face):
    header = "ply\nformat ascii 1.0\nelement vertex 1\n"
    names = "".join(f"property float {axis}\n" for axis in "xyz")
    (folder / "a.ply").write_text(f"{header}{names}end_header\n0 0 0\n")


def empty(folder, face):
    (folder / "a.ply").write_bytes(b"")


def nan_vertex(folder, face):
    lines = [f"v {x:f} {y:f} {z:f}" for x, y, z in face.surface.vertices]
    lines[5] = "v nan 0 0"
    lines += [f"f {a} {b} {c}" for a, b, c in face.surface.topology.faces + 1]
    (folder / "a.ply").unlink()
    (folder / "a.obj").write_text("\n".join(lines))


def clockwise(folder, face):
    faces = face.surface.topology.faces[:, ::-1]
    turned = FaceShape(Surface(face.surface.vertices, faces), face.landmarks)
    MeshWriter(folder).add("a", turned, missed=False)


def elsewhere(folder, face):
    np.save(folder / "a.npy", face.landmarks * 10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damaged, "damaged"),
        (empty, "damaged"),
        (no_triangles, "without triangles"),
        (nan_vertex, "not finite"),
        (clockwise, "clockwise"),
        (elsewhere, "from the mesh"),
    ],
)
def test_bad_meshes_are_refused(folder, model, face, change, message):
    change(folder, face)
    meshes = opened(folder, model)
    meshes.face("b/c")
    with pytest.raises(DataError, match=rf"a\.(ply|obj).*{message}") as caught:
        meshes.face("a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["florence"], "--out"),
        (["florence", "--write-pictures", "p", "--out", "o"], "--write-pictures"),
        (["scans", "--write-pictures", "p", "--predictions", "q"], "--write-pictures"),
        (["scans", "--predictions", "p", "--weights", "w.onnx"], "weights"),
        (["scans", "--predictions", "p", "--refine"], "--refine"),
    ],
)
def test_what_does_not_go_together_is_one_line(words, what, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", words[0], "--data", ".", *words[1:]])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1
