import json
import shutil

import cv2
import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation.comparison import START_POINTS, FaceComparison
from mlanet.evaluation.florence import (
    evaluate_florence,
    florence_subjects,
    frames_of,
    read_scan,
)
from mlanet.export import write_obj
from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, headlight, render_mesh

SIZE = 240


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor.load()


@pytest.fixture(scope="module")
def model():
    return AlbedoModel.load().on(MorphableModel.load())


@pytest.fixture(scope="module")
def identity(model):
    return np.random.default_rng(5).normal(size=model.layout.identity).astype(np.float32)


def head(model, identity):
    layout = model.layout
    return model.mesh(
        identity, np.zeros(layout.expression, np.float32), np.zeros(layout.albedo, np.float32)
    )


def picture(mesh, yaw):
    rotation = matrix_from_euler(np.radians([0.0, yaw, 0.0]))
    pose = Pose(rotation, np.array([0.0, 0.0, 1000.0]))
    camera = Camera(600.0, (SIZE / 2, SIZE / 2))
    drawn = render_mesh(mesh, pose, camera, (SIZE, SIZE), headlight())
    under = np.full((SIZE, SIZE, 3), 0.6, dtype=np.float32)
    return (composite(drawn, under) * 255).astype(np.uint8)


def write_video(path, pictures):
    """Motion JPEG as the data set has it: OpenCV's own file, whose name then ends in .mjpg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".avi")
    writer = cv2.VideoWriter(str(made), cv2.VideoWriter_fourcc(*"MJPG"), 25, (SIZE, SIZE))
    assert writer.isOpened()
    for image in pictures:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    made.rename(path)


def write_scan(folder, mesh, texture):
    folder.mkdir(parents=True)
    write_obj(folder / "110920150452.obj", mesh, texture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, identity):
    """Two subjects; the second one has one scan, one setting and a video without faces."""
    place = tmp_path_factory.mktemp("florence")
    mesh = head(model, identity)
    plain = Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, uv_faces=mesh.faces)
    atlas_texture = _texture(model)
    other = Mesh(
        mesh.vertices * np.array([1.15, 0.9, 1.0], np.float32),
        mesh.faces,
        uv=mesh.uv,
        uv_faces=mesh.faces,
    )
    first, second = place / "subject_01", place / "subject_02"
    write_scan(first / "Model" / "frontal1" / "obj", other, atlas_texture)
    write_scan(first / "Model" / "frontal2" / "obj", plain, atlas_texture)
    frames = [picture(mesh, yaw) for yaw in (-20, 0, 15, 30)]
    write_video(first / "Video" / "Indoor-Cooperative.mjpg", frames)
    encoded = [cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames]
    (first / "Video" / "PTZ-Indoor_2.mjpeg").write_bytes(b"".join(encoded))
    write_scan(second / "Model" / "frontal1" / "obj", plain, atlas_texture)
    write_video(
        second / "Video" / "PTZ-Outdoor.mjpeg", [np.full((SIZE, SIZE, 3), 90, np.uint8)] * 2
    )
    return place


def _texture(model):
    from mlanet.render import UvAtlas, vertex_attributes_to_uv

    mesh = head(model, np.zeros(model.layout.identity, np.float32))
    atlas = UvAtlas.of_mesh(mesh, 256)
    colors = vertex_attributes_to_uv(atlas, mesh.faces, mesh.colors)
    return (np.clip(colors, 0, 1) * 255).astype(np.uint8)


def test_the_layout_is_read(folder):
    first, second = florence_subjects(folder)
    assert (first.name, second.name) == ("subject_01", "subject_02")
    assert [path.parts[-3] for path in first.scans] == ["frontal1", "frontal2"]
    assert len(second.scans) == 1
    assert set(first.videos) == {"Indoor-Cooperative", "PTZ-Indoor"}
    assert set(second.videos) == {"PTZ-Outdoor"}


def test_a_folder_without_subjects_is_an_error(tmp_path):
    with pytest.raises(DataError, match="subject_XX"):
        florence_subjects(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        florence_subjects(tmp_path / "absent")


def test_both_kinds_of_motion_jpeg_are_read(folder):
    first, _ = florence_subjects(folder)
    for videos in first.videos.values():
        every = list(frames_of(videos[0]))
        assert len(every) == 4
        assert every[0].shape == (SIZE, SIZE, 3)
        assert len(list(frames_of(videos[0], 3))) == 2
    assert np.abs(every[0].astype(int) - every[3]).mean() > 2


def test_start_points_of_a_scan_are_found(folder, reconstructor, model, identity):
    truth = head(model, identity)
    points = FaceComparison(model).points(identity)
    scan = read_scan(florence_subjects(folder)[1].scans[0], reconstructor)
    tip = START_POINTS.index(30)
    apart = np.linalg.norm(scan.points - points, axis=1)
    assert apart[1:].max() < 8
    assert apart[0] < 25  # the chin's edge is hard to see from the front
    assert np.linalg.norm(scan.points[tip] - points[tip]) < 6
    foremost = truth.vertices[truth.vertices[:, 2].argmax()]
    assert np.linalg.norm(scan.points[tip] - foremost) < 6


def test_a_scan_on_its_side_is_found(folder, reconstructor, tmp_path, model, identity):
    path = florence_subjects(folder)[1].scans[0]
    upright = read_scan(path, reconstructor)
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    mesh = head(model, identity)
    write_scan(
        tmp_path / "side",
        Mesh(mesh.vertices @ turn.T, mesh.faces, uv=mesh.uv, uv_faces=mesh.faces),
        _texture(model),
    )
    lying = read_scan(next((tmp_path / "side").glob("*.obj")), reconstructor)
    apart = np.linalg.norm(lying.points - upright.points @ turn.T, axis=1)
    assert np.median(apart) < 2.0
    assert apart[1:].max() < 9.0  # the base of the nose lies beside an edge in depth


def test_a_scan_that_is_not_in_mm_or_shows_no_face_is_named(
    tmp_path, model, identity, reconstructor
):
    mesh = head(model, identity)
    write_scan(
        tmp_path / "m",
        Mesh(mesh.vertices / 1000, mesh.faces, uv=mesh.uv, uv_faces=mesh.faces),
        _texture(model),
    )
    with pytest.raises(DataError, match="millimetres"):
        read_scan(next((tmp_path / "m").glob("*.obj")), reconstructor)


def test_the_nearer_scan_counts_and_what_has_no_face_is_named(folder, reconstructor):
    report = evaluate_florence(reconstructor, florence_subjects(folder), every=2)
    assert [(r.subject, r.setting, r.frames) for r in report.results] == [
        ("subject_01", "Indoor-Cooperative", 2),
        ("subject_01", "PTZ-Indoor", 2),
    ]
    assert report.skipped == ("subject_02, PTZ-Outdoor: no face in 1 frames",)
    content = report.as_dict()["settings"]["PTZ-Indoor"]
    assert content["subjects"] == 1
    assert content["point_to_plane_mean_mm"]["sd"] is None
    compare = FaceComparison(reconstructor.model)
    scans = [read_scan(path, reconstructor) for path in florence_subjects(folder)[0].scans]
    mean = [compare.distance(scan.surface, scan.points).point_to_plane_mean_mm for scan in scans]
    assert report.results[0].mean_face_mm == pytest.approx(min(mean))
    assert report.results[0].point_to_plane_rms_mm > report.results[0].point_to_plane_mean_mm > 0.1


def test_the_command_writes_a_report(folder, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "florence", "--data", str(data), "--out", str(tmp_path / "out")])
    assert stop.value.code == 1  # one video shows no face
    assert "left out: subject_02" in capsys.readouterr().err
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["settings"]["PTZ-Indoor"]["subjects"] == 1
    assert len((tmp_path / "out" / "subjects.csv").read_text().splitlines()) == 3


def test_wrong_usage_is_one_line(tmp_path, capsys):
    for words, what in ((["--every", "0"], "--every"), (["--threads", "0"], "--threads")):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "florence", "--data", ".", "--out", str(tmp_path / "o"), *words])
        assert stop.value.code == 2
        assert what in capsys.readouterr().err
