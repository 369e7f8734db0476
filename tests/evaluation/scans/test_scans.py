import csv
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mlanet import fitting
from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation import Report
from mlanet.evaluation.reporting.page import print_page
from mlanet.evaluation.scans.eyes import EYES, RADIUS_MM, eyeballs
from mlanet.evaluation.scans.known_heads import (
    LEE_OUTER_EYES_MM,
    KnownHead,
    known_heads,
    read_ljson,
    visible_surface,
)
from mlanet.evaluation.scans.pictures import (
    COLUMNS,
    MESH_COLUMNS,
    WORST_MM,
    error_colors,
    portrait_grid,
)
from mlanet.evaluation.scans.portraits import (
    LIGHTS,
    SIZE_PX,
    Portrait,
    light_of,
    portraits_of,
    write_portraits,
)
from mlanet.evaluation.scans.report import group_table, scan_report
from mlanet.evaluation.scans.scoring import (
    GivenPortraits,
    PortraitFace,
    PortraitResult,
    ReconstructedPortraits,
    score_scans,
)
from mlanet.evaluation.surfaces.face_shape import (
    OUTER_EYES,
    SEVEN_POINTS,
    START_POINTS,
    FaceComparison,
)
from mlanet.evaluation.surfaces.mesh_folder import MeshFolder, MeshWriter
from mlanet.geometry import shading
from mlanet.image import read_image
from mlanet.metrics import Surface
from mlanet.morphable import AlbedoModel, load_model
from mlanet.reconstructor import Reconstructor

pytestmark = pytest.mark.usefixtures("with_scipy")

ANGLES = ("", ", |yaw| <= 30", ", |yaw| > 30")

data = os.environ.get("MLANET_DATA")
needs_data = pytest.mark.skipif(data is None, reason="MLANET_DATA is not set")


@pytest.fixture(scope="module")
def model():
    return AlbedoModel.load().on(load_model())


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor.load()


def own_head(model, seed):
    """A head of our own model: its surface is known, too."""
    layout, rng = model.layout, np.random.default_rng(seed)
    identity = rng.normal(size=layout.identity).astype(np.float32)
    rest = np.zeros(layout.expression, np.float32)
    mesh = model.mesh(identity, rest, np.zeros(layout.albedo, np.float32))
    marks = model.landmarks(identity, rest).astype(np.float64)
    surface = Surface(mesh.vertices, FaceComparison(model).faces)
    return KnownHead(
        f"own-{seed}", "own", surface, marks, marks[list(START_POINTS)], mesh
    ), identity


def test_a_known_face_is_at_no_distance_and_another_one_is(model):
    head, identity = own_head(model, 1)
    compare = FaceComparison(model)
    assert compare.face(identity).distance(head.surface, head.points).point_to_plane_mean_mm < 0.01
    mean = compare.face().distance(head.surface, head.points)
    other = compare.face(own_head(model, 2)[1]).distance(head.surface, head.points)
    assert mean.point_to_plane_mean_mm > 0.5
    assert other.point_to_plane_mean_mm > mean.point_to_plane_mean_mm


def test_what_is_compared_leaves_out_eyes_mouth_and_ears(model):
    compare = FaceComparison(model)
    used = np.unique(compare.faces)
    assert model.region("eyes", "mouth", "ears")[used].max() <= 0.5
    assert model.region("nose")[used].sum() > 0.9 * model.region("nose").sum()


def score(reconstructor, portraits, refine=None, **more):
    source = ReconstructedPortraits(reconstructor, refine)
    return score_scans(source, reconstructor.model, portraits, **more)


def test_the_check_reports_each_portrait_and_the_mean_face(model, reconstructor, tmp_path):
    heads = [own_head(model, seed)[0] for seed in (1, 2)]
    portraits, calls = portraits_of(heads, (0.0, 60.0), ("front",)), []
    results = score(
        reconstructor, portraits, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    compare = FaceComparison(reconstructor.model)
    for head in heads:
        mean = compare.face().distance(head.surface, head.points).point_to_plane_mean_mm
        found = [r.mean_face_mm for r in results if r.head == head.name]
        assert found == pytest.approx([mean, mean])
    grid = portrait_grid(ReconstructedPortraits(reconstructor), portraits, results)
    report = replace(scan_report(results), pictures=(grid,))
    path, *_ = report.write(tmp_path)
    table = Report.read(path).table("Groups of portraits")
    assert table.value("all, |yaw| <= 30", "number") == 2
    assert table.value("all, |yaw| > 30", "number") == 2
    assert "not MICC Florence" in report.protocol.name
    with (tmp_path / "portraits.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = np.mean([float(row["point_to_plane_mean_mm"]) for row in rows])
    assert table.value("all", "point_to_plane_mean_mm") == pytest.approx(mean)
    assert read_image(tmp_path / "grid.png").shape == (400, 200 * len(COLUMNS), 3)
    assert [len(row.tiles) for row in grid.rows] == [6, 6]
    captions = [row.caption.splitlines() for row in grid.rows]
    assert [lines[0] for lines in captions] == ["own-1", "own-2"]
    assert {lines[3] for lines in captions} <= {f"{r.mean_mm:.2f} mm" for r in results}


def test_faces_written_and_read_back_get_the_same_figures(model, reconstructor, tmp_path):
    """Our own reconstruction as another method's meshes, by the same landmarks: equal figures."""
    portraits = portraits_of([own_head(model, 1)[0]], (0.0, -60.0), ("front",))
    keep = MeshWriter(tmp_path)
    direct = score(reconstructor, portraits, keep=keep)
    names = [portrait.name for portrait in portraits]
    keep.missed.append(names[1])
    keep.finish()
    typical = reconstructor.model.landmarks.mean
    given = GivenPortraits(MeshFolder.open(tmp_path, typical, names, missed_too=True))
    again = score_scans(given, reconstructor.model, portraits)
    assert [row.missed for row in direct] == [False, False]
    assert [row.missed for row in again] == [False, True]
    for one, other in zip(direct, again, strict=True):
        assert asdict(one) | {"missed": other.missed} == asdict(other)
    # Seven points begin elsewhere and end at the same place.
    for name in names:
        landmarks = np.load(tmp_path / f"{name}.npy")
        np.save(tmp_path / f"{name}.npy", landmarks[list(SEVEN_POINTS)])
    seven = score_scans(given, reconstructor.model, portraits)
    for one, other in zip(direct, seven, strict=True):
        assert one.mean_mm == pytest.approx(other.mean_mm, abs=0.01)


def result(head="a", kind="scan", yaw=0.0, mean=1.0, mean_face=2.0, missed=False):
    return PortraitResult(head, kind, yaw, "front", missed, mean, 2 * mean, mean_face, 0.9, 1.0)


def test_other_methods_meshes_are_drawn_where_they_were_aligned(model):
    head, identity = own_head(model, 1)
    face = FaceComparison(model).face(identity)
    moved = replace(
        face,
        surface=Surface(face.surface.vertices * 0.01 + 5.0, face.surface.topology.faces),
        landmarks=face.landmarks * 0.01 + 5.0,
    )
    portraits = portraits_of([head], (0.0,), ("left",))
    rows = [
        portrait_grid(lambda _, f=f: PortraitFace(f, False), portraits, [result()]).rows[0]
        for f in (face, moved)
    ]
    assert len(rows[0].tiles) == len(MESH_COLUMNS)
    for one, other in zip(rows[0].tiles, rows[1].tiles, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1.0
    assert np.abs(rows[0].tiles[0].astype(int) - rows[0].tiles[1]).mean() > 5.0


def test_pictures_for_other_methods(model, tmp_path):
    portraits = portraits_of([own_head(model, 1)[0]], (0.0, -30.0), ("left",))
    assert [p.name for p in portraits] == ["own-1_yaw+0_left", "own-1_yaw-30_left"]
    write_portraits(tmp_path, portraits)
    with (tmp_path / "pictures.csv").open() as file:
        rows = {row.pop("name"): row for row in csv.DictReader(file)}
    for portrait in portraits:
        assert np.array_equal(read_image(tmp_path / f"{portrait.name}.png"), portrait.draw())
        left, top, right, bottom = map(float, rows[portrait.name].values())
        assert (portrait.landmarks_px > [left, top]).all()
        assert (portrait.landmarks_px < [right, bottom]).all()
        assert right - left == pytest.approx(bottom - top, abs=0.02)


def test_refinement_is_applied_before_measuring(model, reconstructor):
    seen = []

    def refine(face):
        seen.append(face)
        return face

    score(reconstructor, portraits_of([own_head(model, 1)[0]], (0.0,), ("front",)), refine)
    assert len(seen) == 1


def test_gain_is_relative_to_the_mean_face_of_the_same_heads():
    table = group_table(
        [
            result("a", "flame", -30.0, 1.0, 2.0),
            result("a", "flame", 60.0, 2.0, 2.0),
            result("b", "flame", 90.0, 3.0, 4.0, missed=True),
        ]
    )
    assert table.value("all, |yaw| <= 30", "gain_percent") == pytest.approx(50.0)
    rows = {name: figures for name, *figures in table.rows}
    far = rows["all, |yaw| > 30"]
    assert far[:5] == [2, 1, 2.5, 5.0, 3.0]
    assert far[5:] == pytest.approx([100 / 6, 0.9])
    assert rows["kind flame, |yaw| > 30"] == far
    assert rows["kind flame"] == rows["all"]


def test_the_scans_come_first_and_each_has_its_own_rows():
    table = group_table(
        [
            result("b", "flame", 0.0, 1.0, 4.0),
            result("james", "scan", 0.0, 1.0, 2.0),
            result("james", "scan", 60.0, 3.0, 2.0),
        ]
    )
    names = table.values("portraits")
    first = [f"{name}{part}" for name in ("kind scan", "head james") for part in ANGLES]
    assert names[: len(first) + 1] == [*first, "kind flame"]
    gain = dict(zip(names, table.values("gain_percent"), strict=True))
    assert gain["head james, |yaw| > 30"] == pytest.approx(-50.0)
    assert gain["head james, |yaw| <= 30"] == pytest.approx(50.0)
    assert gain["kind flame, |yaw| <= 30"] == pytest.approx(75.0)
    assert not {"kind flame, |yaw| > 30", "head b"} & set(names)


def test_groups_have_readable_names_on_narrow_terminals(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    head = "lee_perry_smith"
    report = scan_report([result(head, mean=12.5, mean_face=14.0, yaw=yaw) for yaw in (0.0, 60.0)])
    print_page(report.page)
    printed = capsys.readouterr().out
    for text in ("lee_perry_smith", "number", "missed", "12.50", "14.00", "10.71", "0.90"):
        assert text in printed
    assert "…" not in printed


def test_curves_of_reconstructions_and_of_the_mean_face():
    (plot,) = scan_report([result(mean=1.0), result(yaw=60.0, mean=2.0)]).plots
    assert [line.name for line in plot.lines] == ["reconstructions", "mean face"]
    share = dict(zip(np.round(plot.lines[0].x, 6), plot.lines[0].y, strict=True))
    assert max(y for x, y in share.items() if x < 1.0) == 0.0
    assert {y for x, y in share.items() if 1.0 < x < 2.0} == {0.5}
    assert share[max(share)] == 1.0


def test_a_missed_face_is_cut_by_its_landmarks_and_counted(model, reconstructor):
    blind = replace(reconstructor, detector=lambda image: [])
    (found,) = score(blind, portraits_of([own_head(model, 1)[0]], (0.0,), ("front",)))
    assert found.missed
    assert found.mean_mm < 4.0


def test_inner_walls_are_not_outside():
    """A cup within a ball cannot be seen, the ball itself can."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3, radius=80.0)
    inner = trimesh.creation.icosphere(subdivisions=2, radius=40.0)
    vertices = np.concatenate([ball.vertices, inner.vertices])
    faces = np.concatenate([ball.faces, inner.faces + len(ball.vertices)])
    seen = visible_surface(vertices, faces)
    radius = np.linalg.norm(seen.vertices, axis=1)
    assert radius.min() > 79.0
    front = seen.vertices[:, 2] > 0
    assert front.sum() == (np.asarray(ball.vertices)[:, 2] > 0).sum()


def test_eyeballs_lie_behind_the_rims_of_the_lids(model):
    landmarks = own_head(model, 3)[0].landmarks
    for ball, part in zip(eyeballs(landmarks, np.random.default_rng(0)), EYES, strict=True):
        rims = landmarks[part]
        middle = ball.vertices[:, :2].mean(axis=0)
        np.testing.assert_allclose(middle, rims[:, :2].mean(axis=0), atol=0.1)
        pole = ball.vertices[ball.vertices[:, 2].argmax()]
        centre = pole - np.array([0.0, 0.0, RADIUS_MM])
        np.testing.assert_allclose(np.linalg.norm(ball.vertices - centre, axis=1), RADIUS_MM)
        apart = np.linalg.norm(rims - centre, axis=1)
        assert apart.min() > RADIUS_MM
        assert apart.min() < RADIUS_MM + 1.5
        corners = ball.vertices[ball.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (normals[np.linalg.norm(normals, axis=1) > 1e-9][:, 2] > -0.5).all()


def test_lights_differ_and_show_the_albedo_where_they_shine():
    for name, (direction, _, color) in LIGHTS.items():
        normal = np.array([direction]) / np.linalg.norm(direction)
        np.testing.assert_allclose(shading(normal, light_of(name))[0], color, atol=1e-3)


def test_portraits_are_repeatable_and_hold_the_face(model):
    portrait = Portrait(own_head(model, 1)[0], -60.0, "left")
    assert np.array_equal(portrait.draw(), portrait.draw())
    points = portrait.landmarks_px
    assert points.min() > 0
    assert points.max() < SIZE_PX
    assert np.ptp(points[:, 1]) > 100


def test_colours_of_errors():
    colors = error_colors(np.array([0.0, WORST_MM, 2 * WORST_MM, np.nan]))
    assert np.array_equal(colors[1], colors[2])
    assert not np.array_equal(colors[0], colors[1])
    np.testing.assert_allclose(colors[3], 0.6)


def test_a_damaged_landmark_file_is_an_error(tmp_path):
    path = tmp_path / "a.ljson"
    with pytest.raises(DataError, match="no such file"):
        read_ljson(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="68 points"):
        read_ljson(path)


def test_missing_data_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "scans", "--data", str(tmp_path)])
    assert stop.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_asks_for_all_meshes_and_writes_pictures(one_portrait, tmp_path, capsys):
    for words, status in (
        (["--write-pictures", tmp_path], 0),
        (["--predictions", tmp_path], 1),
        (["--predictions", tmp_path / "absent"], 1),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "scans", "--data", ".", *map(str, words)])
        assert stop.value.code == status
    assert {path.name for path in tmp_path.iterdir()} == {"own-1_yaw-60_left.png", "pictures.csv"}
    missing, absent = capsys.readouterr().err.strip().splitlines()
    assert "no mesh own-1_yaw-60_left.obj" in missing
    assert "no such folder" in absent


@pytest.fixture
def one_portrait(model, monkeypatch):
    """The command sees one head from one side, under one light."""
    head, identity = own_head(model, 1)
    portraits = portraits_of([head], (-60.0,), ("left",))
    monkeypatch.setattr("mlanet.evaluation.scans.known_heads.known_heads", lambda *_: [head])
    monkeypatch.setattr("mlanet.evaluation.scans.portraits.portraits_of", lambda _: portraits)
    monkeypatch.setenv("COLUMNS", "120")
    return head, identity


def run_scans(out, *words):
    """The report, its page for people as text and as HTML."""
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "scans", "--data", ".", "--out", str(out), *map(str, words)])
    assert stop.value.code == 0
    pages = [(out / f"report.{kind}").read_text() for kind in ("md", "html")]
    return Report.read(out / "report.json"), *pages


def test_the_command_writes_a_report_that_its_saved_faces_give_again(
    one_portrait, tmp_path, capsys
):
    meshes = tmp_path / "theirs"
    own, text, page = run_scans(tmp_path / "own", "--save-predictions", meshes)
    printed = capsys.readouterr().out
    mean = own.table("Groups of portraits").value("all", "point_to_plane_mean_mm")
    assert own.table("Groups of portraits").value("all", "number") == 1
    assert 0.3 < mean < 4.0
    assert "mlanet: rendered-scan check" in printed
    with (tmp_path / "own" / "portraits.csv").open() as file:
        (row,) = csv.DictReader(file)
    shown = f"{float(row['point_to_plane_mean_mm']):.2f}"
    assert f"| all | 1 | 0 | {shown} |" in text
    assert shown in next(line for line in printed.splitlines() if line.startswith("all "))
    assert (row["head"], float(row["yaw_deg"])) == ("own-1", -60.0)
    assert float(row["point_to_plane_mean_mm"]) == mean
    assert page.count("<polyline") == 2
    assert page.count("data:image/jpeg;base64,") == len(COLUMNS)
    assert f"own-1\nyaw -60 degrees\nlight left\n{shown} mm" in page
    assert read_image(tmp_path / "own" / "grid.png").shape == (200, 200 * len(COLUMNS), 3)
    names = {"missed.txt", "own-1_yaw-60_left.npy", "own-1_yaw-60_left.ply"}
    assert {path.name for path in meshes.iterdir()} == names

    again, text, page = run_scans(tmp_path / "again", "--predictions", meshes)
    assert again.tables == own.tables
    assert again.method == "theirs"
    assert again.versions["predictions"].startswith("theirs, sha256 ")
    assert "mobile" not in again.versions
    assert text.startswith("# theirs: rendered-scan check")
    assert page.count("data:image/jpeg;base64,") == len(MESH_COLUMNS)
    assert read_image(tmp_path / "again" / "grid.png").shape == (200, 200 * len(MESH_COLUMNS), 3)


def test_the_command_measures_and_draws_what_refinement_found(
    one_portrait, tmp_path, capsys, monkeypatch
):
    """A refinement that knows the head leaves no distance."""
    _, identity = one_portrait
    seen = []

    def refine(face):
        seen.append(face)
        rest = np.zeros_like(face.coefficients.expression)
        known = replace(face.coefficients, identity=identity, expression=rest)
        return replace(face, coefficients=known)

    monkeypatch.setattr(fitting, "refine_face", refine)
    report, text, page = run_scans(tmp_path / "out", "--refine", "--name", "a [/b]")
    assert len(seen) == 2  # measured, and drawn
    assert report.conditions["refined"] is True
    table = report.table("Groups of portraits")
    assert table.value("all", "point_to_plane_mean_mm") < 0.01
    assert table.value("all", "gain_percent") > 99.0
    assert "a [/b]: rendered-scan check" in capsys.readouterr().out
    assert "- refined: yes\n" in text
    assert page.count("data:image/jpeg;base64,") == len(COLUMNS)
    assert "0.00 mm" in page


def test_the_printed_table_names_groups_without_markup(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    report = scan_report([result("a [/b]", mean=1.5, missed=True)])
    print_page(replace(report, method="m [/c]").page)
    printed = capsys.readouterr().out
    assert "m [/c]: rendered-scan check" in printed
    (line,) = [line for line in printed.splitlines() if "head a [/b] " in line]
    figures = ["1", "1", "1.50", "3.00", "2.00", "25.00", "0.90"]
    assert line.replace("│", " ").split()[-7:] == figures


@pytest.mark.data
@needs_data
def test_the_scans_and_a_head_of_flame_open():
    assert data is not None
    model = load_model()
    heads = known_heads(Path(data), model, num_random=1)
    assert [head.name for head in heads] == ["lee_perry_smith", "james", "flame-00"]
    right, left = (START_POINTS.index(k) for k in OUTER_EYES)
    apart = np.linalg.norm(heads[0].points[left] - heads[0].points[right])
    assert apart == pytest.approx(LEE_OUTER_EYES_MM)
    compare = FaceComparison(model)
    for head in heads:
        # Landmarks lie on the surface, and the mean face is a few millimetres away.
        found = head.surface.index.query(head.points)
        assert found.distance.max() < 2.0
        assert 1.0 < compare.face().distance(head.surface, head.points).point_to_plane_mean_mm < 3.0
