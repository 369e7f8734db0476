import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation.florence.frontal_scans import find_start_points, read_scan
from mlanet.evaluation.florence.layout import SETTINGS, florence_subjects, frames_of, write_frames
from mlanet.evaluation.florence.pictures import (
    COLUMNS,
    MESH_COLUMNS,
    FlorencePictures,
    draw_shape,
)
from mlanet.evaluation.florence.report import FIGURES, florence_report
from mlanet.evaluation.florence.scoring import (
    FlorenceFigures,
    FlorenceResult,
    FlorenceScores,
    VideoFaces,
    score_florence,
)
from mlanet.evaluation.reporting import PictureRow, Report
from mlanet.evaluation.reporting.face_tiles import GREY, TILE_PX
from mlanet.evaluation.reporting.page import print_page
from mlanet.evaluation.scans.known_heads import LJSON_GROUPS, known_heads
from mlanet.evaluation.surfaces.face_shape import (
    OUTER_EYES,
    START_POINTS,
    FaceComparison,
    FaceShape,
)
from mlanet.export import write_obj
from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler
from mlanet.image import crop_square, read_image, square_from_landmarks
from mlanet.metrics import Surface
from mlanet.morphable import AlbedoModel, load_model
from mlanet.morphable.readers.wavefront import ObjMesh
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, key_light, render_mesh

pytestmark = pytest.mark.usefixtures("with_scipy")

SIZE = 240
data = os.environ.get("MLANET_DATA")
needs_data = pytest.mark.skipif(data is None, reason="MLANET_DATA is not set")


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor.load()


@pytest.fixture(scope="module")
def model():
    return AlbedoModel.load().on(load_model())


@pytest.fixture(scope="module")
def identity(model):
    return np.random.default_rng(5).normal(size=model.layout.identity).astype(np.float32)


def evaluated(reconstructor, subjects, every=10):
    """Scores of a network that annotates the scans, too."""
    source = VideoFaces(reconstructor, every)
    return score_florence(source, reconstructor.model, subjects, annotator=reconstructor)


def head(model, identity):
    layout = model.layout
    return model.mesh(
        identity, np.zeros(layout.expression, np.float32), np.zeros(layout.albedo, np.float32)
    )


def picture(mesh, yaw):
    rotation = matrix_from_euler(np.radians([0.0, yaw, 0.0]))
    pose = Pose(rotation, np.array([0.0, 0.0, 1000.0]))
    camera = Camera(600.0, (SIZE / 2, SIZE / 2))
    drawn = render_mesh(mesh, pose, camera, (SIZE, SIZE), key_light())
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
    plain = Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, uv_faces=mesh.uv_faces)
    atlas_texture = _texture(model)
    other = Mesh(
        mesh.vertices * np.array([1.15, 0.9, 1.0], np.float32),
        mesh.faces,
        uv=mesh.uv,
        uv_faces=mesh.uv_faces,
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
    points = FaceComparison(model).face(identity).landmarks[list(START_POINTS)]
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
        Mesh(mesh.vertices @ turn.T, mesh.faces, uv=mesh.uv, uv_faces=mesh.uv_faces),
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
        Mesh(mesh.vertices / 1000, mesh.faces, uv=mesh.uv, uv_faces=mesh.uv_faces),
        _texture(model),
    )
    with pytest.raises(DataError, match="millimetres"):
        read_scan(next((tmp_path / "m").glob("*.obj")), reconstructor)


def test_the_nearer_scan_counts_and_what_has_no_face_is_named(folder, reconstructor):
    scores = evaluated(reconstructor, florence_subjects(folder), every=2)
    assert [(r.subject, r.setting, r.frames) for r in scores.results] == [
        ("subject_01", "Indoor-Cooperative", 2),
        ("subject_01", "PTZ-Indoor", 2),
    ]
    assert scores.skipped == (
        "subject_01: no video PTZ-Outdoor",
        "subject_02: no video Indoor-Cooperative",
        "subject_02: no video PTZ-Indoor",
        "subject_02, PTZ-Outdoor: no face in 1 frames",
    )
    assert [scan.source for scan in scores.scans] == ["network"] * 3
    table = florence_report(scores).table("Mean and deviation over subjects")
    assert table.value("subjects", "PTZ-Indoor") == 1
    assert table.value("point_to_plane_mean_mm", "PTZ-Indoor, sd") is None
    compare = FaceComparison(reconstructor.model)
    scans = [read_scan(path, reconstructor) for path in florence_subjects(folder)[0].scans]
    mean = [compare.face().distance(s.surface, s.points).point_to_plane_mean_mm for s in scans]
    first = scores.results[0].figures
    assert first.mean_face_mm == pytest.approx(min(mean))
    assert first.point_to_plane_rms_mm > first.point_to_plane_mean_mm > 0.1


def test_each_figure_is_the_least_over_the_scans(folder, reconstructor):
    """The subject's two scans differ, so that the least is not the greatest."""
    subject = florence_subjects(folder)[0]
    one_video = replace(subject, videos={"PTZ-Indoor": subject.videos["PTZ-Indoor"]})

    def result(*scans):
        return evaluated(reconstructor, [replace(one_video, scans=scans)]).results[0].figures

    both, single = result(*subject.scans), [result(path) for path in subject.scans]
    for name in FIGURES:
        if not name.startswith("coverage"):
            values = [getattr(one, name) for one in single]
            assert abs(values[0] - values[1]) > 0.02, name
            assert getattr(both, name) == min(values), name
    nearer = min(single, key=lambda one: one.point_to_plane_mean_mm)
    assert single[0].coverage_to_scan != single[1].coverage_to_scan
    for name in ("coverage_to_scan", "coverage_from_scan"):
        assert getattr(both, name) == getattr(nearer, name)
        assert 0.5 < getattr(both, name) <= 1.0


def test_a_figure_is_that_of_the_compared_surfaces(folder, reconstructor):
    subject = florence_subjects(folder)[0]
    videos = {"PTZ-Indoor": subject.videos["PTZ-Indoor"]}
    path = subject.scans[1]
    subject = replace(subject, scans=(path,), videos=videos)
    (result,) = evaluated(reconstructor, [subject], every=1).results
    faces = [reconstructor(frame, max_faces=1) for frame in frames_of(videos["PTZ-Indoor"][0])]
    identity = np.mean([face.coefficients.identity for found in faces for face in found], axis=0)
    scan = read_scan(path, reconstructor)
    found = FaceComparison(reconstructor.model).face(identity).distance(scan.surface, scan.points)
    assert result.faces == sum(len(found) for found in faces)
    assert result.figures.point_to_plane_mean_mm == pytest.approx(
        (found.to_scan.mean_mm + found.from_scan.mean_mm) / 2
    )
    assert result.figures.coverage_to_scan == pytest.approx(found.to_scan.coverage)
    assert result.figures.coverage_from_scan == pytest.approx(found.from_scan.coverage)


def blank_result(subject, value):
    figures = FlorenceFigures(*[value] * len(FIGURES))
    return FlorenceResult(subject, "PTZ-Indoor", 1, 1, figures)


def test_mean_and_deviation_of_a_sample_over_subjects():
    rows = (blank_result("a", 1.0), blank_result("b", 3.0))
    table = florence_report(FlorenceScores(rows)).table("Mean and deviation over subjects")
    assert table.value("subjects", "PTZ-Indoor") == 2
    for name in FIGURES:
        assert table.value(name, "PTZ-Indoor") == 2.0
        assert table.value(name, "PTZ-Indoor, sd") == pytest.approx(np.sqrt(2.0))


def test_curves_hold_every_subject_and_nothing_has_none():
    scores = FlorenceScores((blank_result("a", 1.0), blank_result("b", 3.0)))
    (plot,) = florence_report(scores).plots
    assert plot.x_limit >= 3.0
    (line,) = plot.lines
    share = dict(zip(np.round(line.x, 6), line.y, strict=True))
    assert max(y for x, y in share.items() if x < 1.0) == 0.0
    assert {y for x, y in share.items() if 1.0 < x < 3.0} == {0.5}
    assert line.y[-1] == 1.0
    report = florence_report(FlorenceScores((), ("subject_03: no frontal scan",)))
    assert report.plots == ()
    assert report.table("Left out").rows == (("subject_03: no frontal scan",),)


def test_the_network_under_test_does_not_annotate(folder, reconstructor, monkeypatch):
    """It is the annotator who is asked."""
    subject = florence_subjects(folder)[0]
    subject = replace(subject, scans=subject.scans[:1], videos={})
    seen = []

    def other_points(mesh, annotator, texture, name):
        seen.append(annotator)
        return np.arange(27.0).reshape(9, 3)

    monkeypatch.setattr("mlanet.evaluation.florence.frontal_scans.find_start_points", other_points)
    tested = replace(reconstructor, detector=lambda image: [])
    score_florence(VideoFaces(tested), tested.model, [subject], annotator=reconstructor)
    assert seen == [reconstructor]


def write_ljson(path, points):
    labels = [{"label": name, "mask": list(places)} for name, places in LJSON_GROUPS]
    content = {"version": 2, "landmarks": {"points": points.tolist()}, "labels": labels}
    path.write_text(json.dumps(content))


def test_a_landmark_file_beside_the_scan_is_preferred(tmp_path, model, identity):
    mesh = head(model, identity)
    rest = np.zeros(model.layout.expression, np.float32)
    truth = np.asarray(model.landmarks(identity, rest), dtype=np.float64)
    write_scan(
        tmp_path / "a", Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, uv_faces=mesh.uv_faces), _grey()
    )
    path = next((tmp_path / "a").glob("*.obj"))
    marked = path.with_suffix(".ljson")
    write_ljson(marked, truth)
    marks = read_scan(path, None)  # no network is asked
    assert marks.source == "file"
    np.testing.assert_allclose(marks.points, truth[list(START_POINTS)])
    np.testing.assert_allclose(marks.nose_tip, truth[30])
    write_ljson(marked, truth + np.array([0.0, 0.0, 40.0]))
    with pytest.raises(DataError, match=r"\.ljson: a landmark lies .* from the scan"):
        read_scan(path, None)
    write_ljson(marked, truth / 10.0)
    with pytest.raises(DataError, match=r"\.ljson: eyes"):
        read_scan(path, None)


def test_seams_of_a_scan_are_no_borders(tmp_path, model, identity, reconstructor):
    """The same scan with corners of its own for each triangle; both drawn with the texture."""
    mesh = head(model, identity)
    order = np.unique(mesh.faces, return_index=True)[1]
    used = mesh.faces.reshape(-1)[np.sort(order)]  # as the corners of triangles meet them
    number = np.empty(len(mesh.vertices), np.int32)
    number[used] = np.arange(len(used))
    corners = np.arange(mesh.faces.size, dtype=np.int32).reshape(-1, 3)
    whole = Mesh(mesh.vertices[used], number[mesh.faces], uv=mesh.uv, uv_faces=mesh.uv_faces)
    soup = Mesh(mesh.vertices[mesh.faces.reshape(-1)], corners, uv=mesh.uv, uv_faces=mesh.uv_faces)
    found = []
    for name, each in (("whole", whole), ("soup", soup)):
        write_scan(tmp_path / name, each, _texture(model))
        scan = read_scan(next((tmp_path / name).glob("*.obj")), reconstructor)
        distance = FaceComparison(model).face().distance(scan.surface, scan.points)
        found.append((scan.points, distance.point_to_plane_mean_mm, distance.to_scan.coverage))
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-6)
    assert found[1][2] > 0.5


def _grey():
    return np.full((8, 8, 3), 128, np.uint8)


def test_a_subject_without_scan_and_files_that_are_no_videos_are_named(folder, tmp_path):
    copied = tmp_path / "data"
    shutil.copytree(folder, copied)
    shutil.rmtree(copied / "subject_02" / "Model")
    videos = copied / "subject_01" / "Video"
    (videos / "Indoor-Cooperative.txt").write_text("notes")
    (videos / "Indoor-Cooperative.jpg").write_bytes(b"no video")
    (videos / "Indoor-Cooperative_0.avi").write_bytes(b"damaged")
    scan = copied / "subject_01" / "Model" / "frontal1" / "obj" / "110920150452.obj"
    lines = scan.read_text().splitlines()
    lines[next(k for k, line in enumerate(lines) if line.startswith("v "))] = "v nan 0 0"
    scan.write_text("\n".join(lines) + "\n")
    subjects = florence_subjects(copied)
    names = [path.name for path in subjects[0].videos["Indoor-Cooperative"]]
    assert names == ["Indoor-Cooperative.mjpg", "Indoor-Cooperative_0.avi"]
    scores = evaluated(Reconstructor.load(), subjects, every=2)
    assert [result.setting for result in scores.results] == ["Indoor-Cooperative", "PTZ-Indoor"]
    assert scores.skipped == (
        f"{scan}: a vertex is not finite",
        f"{videos / 'Indoor-Cooperative_0.avi'}: OpenCV cannot open this video",
        "subject_01: no video PTZ-Outdoor",
        "subject_02: no frontal scan",
    )


def test_a_scan_without_face_is_named(folder, reconstructor):
    path = florence_subjects(folder)[1].scans[0]
    blind = replace(reconstructor, detector=lambda image: [])
    with pytest.raises(DataError, match=rf"{path}: no face"):
        read_scan(path, blind)


@pytest.mark.data
@needs_data
def test_what_the_shipped_network_makes_of_marked_scans(reconstructor, model):
    """The figures in docs/explanation/evaluation.md; pytest -s prints them."""
    heads = known_heads(Path(data), reconstructor.model, num_random=0)
    compare = FaceComparison(reconstructor.model)
    tip, eyes = START_POINTS.index(30), [START_POINTS.index(k) for k in OUTER_EYES]
    for one in heads:
        drawn = one.mesh
        mesh = ObjMesh(drawn.vertices, drawn.faces, drawn.uv, drawn.uv_faces)
        found = find_start_points(mesh, reconstructor, one.texture, one.name)
        wide = [float(np.linalg.norm(p[eyes[0]] - p[eyes[1]])) for p in (found, one.points)]
        apart = float(np.linalg.norm(found[tip] - one.points[tip]))
        distance = [
            compare.face().distance(one.surface, p).point_to_plane_mean_mm
            for p in (found, one.points)
        ]
        print(f"{one.name}: eyes {wide} mm, tip off {apart:.2f} mm, mean face {distance} mm")
        assert 0.8 < wide[0] / wide[1] < 1.1
        assert apart < 5.0
        assert abs(distance[0] - distance[1]) < 0.1


def test_the_command_writes_a_report(folder, tmp_path, capsys):
    copied = tmp_path / "data"
    shutil.copytree(folder, copied)
    words = ["--data", str(copied), "--out", str(tmp_path / "out"), "--name", "a [/b]"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "florence", *words])
    assert stop.value.code == 1  # one video shows no face
    assert "left out: subject_02" in capsys.readouterr().err
    report = Report.read(tmp_path / "out" / "report.json")
    assert "| subject_01 | PTZ-Indoor | 1 | 1 |" in (tmp_path / "out" / "report.md").read_text()
    assert "left out" in (tmp_path / "out" / "report.html").read_text().lower()
    assert report.method == "a [/b]"
    scans = report.table("Scans")
    first = scans.values("scan")[0]
    assert first == "subject_01/Model/frontal1/obj/110920150452.obj"
    points = (scans.value(first, f"point {k}") for k in OUTER_EYES)
    right, left = (np.array(point.split(), dtype=float) for point in points)
    apart = scans.value(first, "interocular_mm")
    assert apart == pytest.approx(np.linalg.norm(left - right), abs=1e-2)
    table = report.table("Mean and deviation over subjects")
    assert table.value("subjects", "PTZ-Indoor") == 1
    assert len((tmp_path / "out" / "subjects.csv").read_text().splitlines()) == 3
    assert report.rows.values("subject") == ["subject_01"] * 2
    mean = report.rows.values("point_to_plane_mean_mm")
    assert mean == [table.value("point_to_plane_mean_mm", s) for s in report.rows.values("setting")]
    rows = 4  # two settings, one subject each, among the largest and drawn by lot
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == rows * len(COLUMNS)


@pytest.fixture(scope="module")
def drawn(folder, reconstructor):
    """The pictures of a subject and a setting, from the largest distance down."""
    pictures = FlorencePictures(reconstructor, florence_subjects(folder), 1)
    return pictures, pictures.row(replace(blank_result("subject_01", 2.0), faces=4, frames=4))


def test_the_middle_frame_is_drawn(folder, reconstructor, drawn):
    pictures, row = drawn
    assert row.caption.splitlines() == [
        "subject_01",
        "PTZ-Indoor",
        "2.00 mm",
        "face in 4 of 4 frames",
    ]
    assert len(row.tiles) == len(COLUMNS) == len(pictures.columns)
    frame, *others = (tile.astype(float) for tile in row.tiles)
    videos = florence_subjects(folder)[0].videos["PTZ-Indoor"]
    faces = [reconstructor(image, max_faces=1)[0] for image in frames_of(videos[0])]
    apart = [
        np.abs(crop_square(f.image, square_from_landmarks(f.landmarks_px), TILE_PX).image - frame)
        for f in faces
    ]
    assert int(np.argmin([difference.mean() for difference in apart])) == 2
    assert all(np.abs(frame - other).mean() > 1.0 for other in others)


def test_a_subject_without_frames_that_can_be_shown_is_grey(folder, reconstructor):
    pictures = FlorencePictures(reconstructor, florence_subjects(folder))
    row = pictures.row(blank_result("subject_02", 1.0))
    assert all((tile == GREY).all() for tile in row.tiles)


def test_the_largest_distances_come_first_and_the_lot_knows_names_only(monkeypatch):
    rows = [PictureRow(f"s{k}", ()) for k in range(9)]
    monkeypatch.setattr(FlorencePictures, "row", lambda self, one: rows[int(one.subject[1:])])

    def shown(order):
        results = [blank_result(f"s{k}", float(value)) for k, value in enumerate(order)]
        grids = FlorencePictures(None, ()).grids(results)
        assert [grid.title for grid in grids] == [
            "PTZ-Indoor: largest distances",
            "PTZ-Indoor: drawn by lot",
        ]
        return [[row.caption for row in grid.rows] for grid in grids]

    up, down = shown(range(9)), shown(range(9, 0, -1))
    assert (up[0], down[0]) == (["s8", "s7", "s6"], ["s0", "s1", "s2"])
    assert up[1] == down[1]
    assert len(set(up[1])) == 3


def test_meshes_of_any_unit_and_place_are_drawn_as_if_in_front(model, identity):
    compare = FaceComparison(model)
    face = compare.face(identity)
    typical = np.asarray(model.landmarks.mean, dtype=float)
    turn = matrix_from_euler(np.radians([20.0, 70.0, 10.0]))
    moved = FaceShape(
        Surface(face.surface.vertices @ turn.T * 0.01 + 5.0, face.surface.topology.faces),
        face.landmarks @ turn.T * 0.01 + 5.0,
    )
    ahead, again = (draw_shape(shape, typical, 0.0).astype(float) for shape in (face, moved))
    assert np.abs(ahead - again).mean() < 0.5
    assert 0.2 < (ahead != GREY).any(axis=-1).mean() < 0.8
    assert np.abs(ahead - draw_shape(face, typical, 50.0)).mean() > 3.0


def test_faces_written_and_read_back_get_the_same_figures(folder, tmp_path, capsys):
    """Our own faces as another method's meshes, by the same landmarks: equal figures."""
    copied, meshes = tmp_path / "data", tmp_path / "other"
    shutil.copytree(folder, copied)
    shutil.rmtree(copied / "subject_01" / "Model" / "frontal2")
    (copied / "subject_01" / "Video" / "Indoor-Cooperative.mjpg").unlink()

    def run(out, *words):
        place = ["--data", str(copied), "--out", str(tmp_path / out)]
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "florence", *place, *map(str, words)])
        assert stop.value.code == 1  # one video shows no face
        path = tmp_path / out / "report.json"
        return Report.read(path) if path.exists() else None

    direct = run("direct", "--save-predictions", meshes)
    assert (meshes / "missed.txt").read_text() == "subject_02/PTZ-Outdoor\n"
    again = run("again", "--predictions", meshes)
    page = (tmp_path / "again" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * len(MESH_COLUMNS)
    table = direct.table("Mean and deviation over subjects")
    assert table.value("subjects", "PTZ-Indoor") == 1
    assert again.table(table.name) == table
    assert (again.method, again.conditions["every_nth_frame"]) == ("other", None)
    assert again.versions["predictions"].startswith("other, sha256 ")
    left_out = again.table("Left out").values("what and why")
    assert "subject_02, PTZ-Outdoor: no face" in left_out
    (meshes / "missed.txt").unlink()
    capsys.readouterr()
    assert run("refused", "--predictions", meshes) is None
    error = capsys.readouterr().err
    assert "no mesh subject_02/PTZ-Outdoor.obj" in error
    assert error.count("\n") == 1


def test_frames_for_other_methods(folder, tmp_path):
    first, second = florence_subjects(folder)
    written = write_frames(tmp_path, [first, replace(second, scans=())], 2)
    assert written.names == ("subject_01/Indoor-Cooperative", "subject_01/PTZ-Indoor")
    assert written.skipped == ()
    files = [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.png"))]
    assert files == [
        "subject_01/Indoor-Cooperative/Indoor-Cooperative_000000.png",
        "subject_01/Indoor-Cooperative/Indoor-Cooperative_000002.png",
        "subject_01/PTZ-Indoor/PTZ-Indoor_2_000000.png",
        "subject_01/PTZ-Indoor/PTZ-Indoor_2_000002.png",
    ]
    frame = read_image(tmp_path / files[3])
    assert np.array_equal(frame, list(frames_of(first.videos["PTZ-Indoor"][0]))[2])


def test_videos_of_one_name_keep_their_frames_apart(folder, tmp_path):
    first, _ = florence_subjects(folder)
    videos = first.videos["PTZ-Indoor"]
    again = tmp_path / "more" / videos[0].name
    again.parent.mkdir()
    shutil.copy(videos[0], again)
    subject = replace(first, videos={"PTZ-Indoor": (*videos, again)})
    write_frames(tmp_path / "out", [subject], 2)
    written = [path.name for path in sorted((tmp_path / "out").rglob("*.png"))]
    assert written == [
        "PTZ-Indoor_2-again1_000000.png",
        "PTZ-Indoor_2-again1_000002.png",
        "PTZ-Indoor_2_000000.png",
        "PTZ-Indoor_2_000002.png",
    ]


def test_a_second_scan_in_one_place_is_named(folder, reconstructor, tmp_path):
    shutil.copytree(folder, tmp_path / "data")
    scan = next((tmp_path / "data/subject_01/Model/frontal1/obj").glob("*.obj"))
    second = scan.with_name("zzz.obj")
    shutil.copy(scan, second)
    subjects = florence_subjects(tmp_path / "data")
    assert subjects[0].scans[0] == scan
    assert subjects[0].problems == (f"{second}: a second OBJ file",)
    scores = evaluated(reconstructor, subjects[:1], every=4)
    assert f"{second}: a second OBJ file" in scores.skipped


def test_videos_that_cannot_be_read_have_no_pictures_and_are_named(folder, tmp_path, capsys):
    copied, out = tmp_path / "data", tmp_path / "pictures"
    shutil.copytree(folder, copied)
    videos = copied / "subject_01" / "Video"
    (videos / "Indoor-Cooperative.mjpg").write_bytes(b"damaged")
    (videos / "PTZ-Indoor_1.avi").write_bytes(b"damaged")
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "florence", "--data", str(copied), "--write-pictures", str(out)])
    assert stop.value.code == 1
    printed = capsys.readouterr()
    assert "pictures of 2 settings written" in printed.out
    assert printed.err.strip().splitlines() == [
        f"mlanet: left out: {videos / 'Indoor-Cooperative.mjpg'}: OpenCV cannot open this video",
        "mlanet: left out: subject_01, Indoor-Cooperative: no frame",
        f"mlanet: left out: {videos / 'PTZ-Indoor_1.avi'}: OpenCV cannot open this video",
    ]
    assert [path.relative_to(out).as_posix() for path in sorted(out.rglob("*.png"))] == [
        "subject_01/PTZ-Indoor/PTZ-Indoor_2_000000.png",
        "subject_02/PTZ-Outdoor/PTZ-Outdoor_000000.png",
    ]


def test_pictures_that_cannot_be_written_end_the_command(folder, tmp_path):
    first, _ = florence_subjects(folder)
    (tmp_path / first.name).write_text("no folder")
    with pytest.raises(DataError, match=r"000000\.png: cannot be written"):
        write_frames(tmp_path, [first])


def test_settings_have_readable_names_on_narrow_terminals(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = tuple(
        FlorenceResult(subject, setting, 1, 1, FlorenceFigures(*(value + k for k in range(6))))
        for subject, value in (("a", 10.0), ("b", 13.0))
        for setting in SETTINGS
    )
    page = florence_report(FlorenceScores(rows)).page
    print_page(page)
    printed = capsys.readouterr().out
    for text in ("Cooperative", "Outdoor", "mean_face_", "11.500", "2.121"):
        assert text in printed
    monkeypatch.setenv("COLUMNS", "50")
    print_page(page)
    assert "…" not in capsys.readouterr().out


def test_wrong_usage_is_one_line(tmp_path, capsys):
    for words, what in ((["--every", "0"], "--every"), (["--threads", "0"], "--threads")):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "florence", "--data", ".", "--out", str(tmp_path / "o"), *words])
        assert stop.value.code == 2
        assert what in capsys.readouterr().err
