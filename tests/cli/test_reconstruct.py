"""The main job, from a file to files: good pictures, bad pictures, wrong usage."""

import json
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from PIL import Image

from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.cli.outputs import Outputs
from mlanet.cli.photos import Photo
from mlanet.cli.telling import PhotoLines, number_and_scores
from mlanet.export import FORMATS
from mlanet.files import MANIFEST, Result
from mlanet.metrics import nme_2d_68
from mlanet.render import PICTURES

FACE_FILES = {"face_00.glb", "face_00.json", "view.html", MANIFEST}


@pytest.fixture(scope="module")
def photo():
    with Image.open(verified_path("example-image")) as picture:
        return picture.convert("RGB")


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_without_out_results_go_to_the_folder_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("reconstruct", "--example", "--quiet") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert (tmp_path / "out" / "astronaut" / "view.html").is_file()


def test_a_terminal_is_told_how_to_look_at_a_single_photo(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes standard error for a terminal
    photo = Photo(Path("me.png"))
    result = Result(tmp_path / "staged", tmp_path / "my photo", "")
    for count, told in ((1, True), (2, False)):
        with PhotoLines(count) as lines:
            lines.done(photo, [], result)
        assert (f"mlanet view '{tmp_path}/my photo'" in capsys.readouterr().err) == told


def test_example_gives_all_files_and_fits_hand_marked_landmarks(tmp_path, capsys):
    assert run("reconstruct", "--example", "--out", tmp_path) == 0
    folder = tmp_path / "astronaut"
    assert {path.name for path in folder.iterdir()} == FACE_FILES | {"overlay.png"}
    content = json.loads((folder / "face_00.json").read_text())
    marked = json.loads((Path(__file__).parents[1] / "data/astronaut_landmarks68.json").read_text())
    error = nme_2d_68(
        np.array(content["landmarks_px"])[None, :, :2], np.array(marked["landmarks_px"])[None]
    )
    assert error[0] < 5.0
    assert content["schema"] == 1
    assert content["image_size"] == {"width": 512, "height": 512}
    assert len(content["expression"]) == 52
    assert "jawOpen" in content["expression"]
    assert all(0.0 <= value <= 1.0 for value in content["expression"].values())
    assert len(content["lighting"]) == 9
    rotation = np.array(content["pose"]["rotation"])
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    assert abs(content["pose"]["yaw_deg"]) < 15
    score = content["detection"]["score"]
    told = f"1 face (score {score:.2f}; confidence {content['confidence']:.2f})"
    captured = capsys.readouterr()
    assert captured.out == f"astronaut.png (the example): {told} -> {folder}\n"
    assert captured.err == ""  # a bar and a hint are for terminals
    with Image.open(folder / "overlay.png") as overlay:
        assert overlay.size == (512, 512)


def test_the_least_score_of_a_face_can_be_given(tmp_path, capsys):
    assert run("reconstruct", "--example", "--out", tmp_path, "--min-score", "0.99") == 1
    assert "no face found" in capsys.readouterr().err
    assert run("reconstruct", "--example", "--out", tmp_path, "--min-score", "1") == 2
    assert "--min-score" in capsys.readouterr().err


def test_saved_mesh_camera_and_pose_reproduce_the_saved_landmarks(tmp_path):
    assert run("reconstruct", "--example", "--out", tmp_path, "--formats", "glb,obj,json") == 0
    face = tmp_path / "astronaut" / "face_00"
    content = json.loads(face.with_suffix(".json").read_text())
    obj = trimesh.load(face.with_suffix(".obj"), process=False)  # the GLB's expression is apart
    rotation = np.array(content["pose"]["rotation"])
    in_camera = obj.vertices @ rotation.T + content["pose"]["translation_mm"]
    pixels = in_camera @ np.array(content["camera"]["intrinsics_px"]).T
    pixels = pixels[:, :2] / pixels[:, 2:]
    for x, y, _ in content["landmarks_px"]:
        assert np.hypot(*(pixels - [x, y]).T).min() < 2.0
    assert len(obj.vertices) >= 6000
    assert obj.visual.uv is not None


def save(photo, path, **options):
    photo.save(path, **options)
    return path


def variants(photo, folder):
    """Unusual files that show the face, by name."""
    grey = photo.convert("L")
    deep = np.asarray(grey).astype(np.uint16) * 257
    alpha = photo.copy()
    alpha.putalpha(255)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo.rotate(90, expand=True)
    return {
        "palette": save(photo.convert("P"), folder / "palette.png"),
        "grey": save(grey, folder / "grey.png"),
        "sixteen": save(Image.fromarray(deep), folder / "sixteen.png"),
        "alpha": save(alpha, folder / "alpha.png"),
        "cmyk": save(photo.convert("CMYK"), folder / "cmyk.jpg", quality=95),
        "exif": save(turned, folder / "exif.jpg", quality=95, exif=exif),
        "animated": save(
            photo,
            folder / "animated.gif",
            save_all=True,
            append_images=[Image.new("RGB", (512,) * 2)],
        ),
    }


def test_unusual_encodings_give_the_same_face(photo, tmp_path):
    files = variants(photo, tmp_path)
    assert (
        run(
            "reconstruct",
            verified_path("example-image"),
            *files.values(),
            "--out",
            tmp_path / "out",
        )
        == 0
    )
    reference = json.loads((tmp_path / "out/astronaut/face_00.json").read_text())
    for name in files:
        content = json.loads((tmp_path / f"out/{name}/face_00.json").read_text())
        assert content["image_size"] == reference["image_size"]
        error = nme_2d_68(
            np.array(content["landmarks_px"])[None, :, :2],
            np.array(reference["landmarks_px"])[None, :, :2],
        )
        assert error[0] < 3.0, name


def huge_png(path):
    """A valid PNG header of 20,000 x 20,000 pixels and hardly any data."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    path.write_bytes(data + chunk(b"IEND", b""))
    return path


def bad_files(photo, folder):
    (folder / "folder.jpg").mkdir()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    whole = save(photo, folder / "whole.jpg", quality=90).read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[:700])
    (folder / "whole.jpg").unlink()
    save(Image.new("RGB", (1, 1)), folder / "pixel.png")
    save(Image.new("RGB", (300, 200), (90, 120, 90)), folder / "nobody.png")
    huge_png(folder / "huge.png")
    names = ["folder.jpg", "empty.jpg", "text.jpg", "truncated.jpg", "pixel.png", "nobody.png"]
    return [folder / name for name in [*names, "huge.png", "missing.jpg"]]


def test_bad_pictures_get_one_line_each_and_the_rest_is_done(photo, tmp_path, capfd):
    bad = bad_files(photo, tmp_path)
    out = tmp_path / "out"
    good = verified_path("example-image")
    assert run("reconstruct", *bad[:4], good, *bad[4:], "--out", out) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == len(bad)
    for path, line in zip(bad, lines, strict=True):
        assert line.startswith("mlanet: ")
        assert str(path) in line
        assert "Traceback" not in line
    assert (out / "astronaut/face_00.glb").exists()
    assert {path.name for path in out.iterdir()} == {"astronaut"}


def test_no_traceback_in_a_real_process(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mlanet",
            "reconstruct",
            str(tmp_path / "no.jpg"),
            "--out",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "no.jpg" in done.stderr


def test_thirty_faces_and_max_faces(photo, tmp_path):
    head = photo.crop((140, 20, 310, 200))
    crowd = Image.new("RGB", (6 * 170, 5 * 180))
    for place in range(30):
        crowd.paste(head, (place % 6 * 170, place // 6 * 180))
    path = save(crowd, tmp_path / "crowd.png")
    assert run("reconstruct", path, "--out", tmp_path / "all") == 0
    assert len(list((tmp_path / "all/crowd").glob("face_*.glb"))) == 30
    assert run("reconstruct", path, "--out", tmp_path / "all", "--max-faces", "2") == 0
    assert len(list((tmp_path / "all/crowd").glob("face_*.glb"))) == 2


def test_equal_names_do_not_overwrite_each_other(photo, tmp_path):
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(save(photo, tmp_path / name / "me.png"))
    assert run("reconstruct", *paths, "--out", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"me", "me-2"}


def test_pictures_are_written_that_are_asked_for_and_old_ones_removed(photo, tmp_path):
    path = save(photo, tmp_path / "me.png")
    arguments = ["reconstruct", path, "--out", tmp_path / "out"]
    folder = tmp_path / "out/me"
    assert run(*arguments, "--draw", "depth, parts-whole,depth") == 0
    found = {entry.name for entry in folder.iterdir()}
    assert found == FACE_FILES | {"overlay.png", "depth.png", "parts-whole.png"}
    with Image.open(folder / "depth.png") as picture:
        depth = np.asarray(picture)
    original = np.asarray(photo)
    assert depth.shape == original.shape
    changed = (depth != original).any(axis=2)
    assert 0.02 < changed.mean() < 0.4
    grey = depth[changed]
    assert np.mean(grey.max(axis=1) == grey.min(axis=1)) > 0.95

    (folder / "poses.png").write_text("mine")
    assert run(*arguments, "--draw", "pose") == 0
    found = {entry.name for entry in folder.iterdir()}
    assert found == FACE_FILES | {"overlay.png", "pose.png", "poses.png"}
    assert run(*arguments) == 0
    found = {entry.name for entry in folder.iterdir()}
    assert found == FACE_FILES | {"overlay.png", "poses.png"}


def test_every_kind_is_drawn_and_named_in_the_help(photo, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["reconstruct", "--help"])
    text = " ".join(re.sub(r"[│╭╰─╮╯]", " ", capsys.readouterr().out).split())
    assert ", ".join(kind for kind in PICTURES if kind != "overlay") in text
    path = save(photo, tmp_path / "me.png")
    assert run("reconstruct", path, "--out", tmp_path / "out", "--draw", ",".join(PICTURES)) == 0
    contents = {(tmp_path / f"out/me/{kind}.png").read_bytes() for kind in PICTURES}
    assert len(contents) == len(PICTURES)


@pytest.mark.parametrize("draw", ["x-ray", "shape,", "shape,x-ray", "SHAPE", ","])
def test_an_unknown_kind_of_picture_is_wrong_usage(draw, tmp_path, capsys):
    assert run("reconstruct", "--example", "--out", tmp_path / "out", "--draw", draw) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlanet: --draw ")
    assert all(kind in line for kind in PICTURES)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("formats", ["stl", "glb,", "glb,stl", "GLB", ""])
def test_an_unknown_format_is_wrong_usage(formats, tmp_path, capsys):
    assert run("reconstruct", "--example", "-o", tmp_path / "out", "--formats", formats) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlanet: --formats ")
    assert all(name in line for name in FORMATS)
    assert not (tmp_path / "out").exists()


def test_files_are_those_that_formats_name(photo, tmp_path):
    path = save(photo, tmp_path / "me.png")
    words = ["reconstruct", path, "-o", tmp_path / "out", "--formats", "ply, pts,blender,ply"]
    assert run(*words) == 0
    names = {"face_00.ply", "face_00.pts", "face_00.blender.py"}
    names |= {"overlay.png", "view.html", MANIFEST}
    assert {entry.name for entry in (tmp_path / "out/me").iterdir()} == names


def test_the_face_alone_is_smaller(photo, tmp_path):
    path = save(photo, tmp_path / "me.png")
    for mesh in ("head", "face"):
        words = ["reconstruct", path, "-o", tmp_path / mesh, "--formats", "glb,ply"]
        assert run(*words, "--mesh", mesh) == 0
    head, face = (trimesh.load(tmp_path / m / "me/face_00.ply") for m in ("head", "face"))
    assert len(face.vertices) < 0.8 * len(head.vertices)
    assert np.abs(face.bounds[:, 1]).max() < 0.8 * np.abs(head.bounds[:, 1]).max()
    parts = trimesh.load(tmp_path / "face/me/face_00.glb").geometry
    assert {"Wolf3D_Head", "EyeLeft", "EyeRight", "Wolf3D_Teeth"} <= set(parts)


def test_what_is_done_is_skipped_until_something_differs(photo, tmp_path, capsys):
    path = save(photo, tmp_path / "me.png")
    words = ["reconstruct", path, "-o", tmp_path / "out", "--formats", "json"]
    file = tmp_path / "out/me/face_00.json"

    def again(*more):
        before = file.stat().st_mtime_ns if file.exists() else 0
        assert run(*words, *more) == 0
        line = capsys.readouterr().out
        assert line.endswith(f"-> {tmp_path / 'out/me'}\n")
        skipped = file.stat().st_mtime_ns == before
        assert skipped == ("already done" in line)
        return skipped

    assert not again()
    assert again()
    assert again("--threads", "1")  # which changes no result
    assert not again("--overwrite")
    assert not again("--max-faces", "1")
    assert again("--max-faces", "1")
    assert not again()
    file.write_text("altered")
    run(*words)
    assert "me-2" in capsys.readouterr().out  # a file that the user changed is theirs
    file.unlink()
    save(photo.rotate(3), path)
    assert not again()
    assert again()


def test_scripts_read_a_line_of_json_for_each_photo(photo, tmp_path, capsys):
    good, bad = save(photo, tmp_path / "me.png"), tmp_path / "missing.png"
    words = ["reconstruct", good, bad, "-o", tmp_path / "out", "--json", "--formats", "json"]
    assert run(*words) == 1
    captured = capsys.readouterr()
    done, failed = (json.loads(line) for line in captured.out.splitlines())
    assert done["photo"] == str(good)
    assert (done["status"], failed["status"]) == ("done", "failed")
    folder = Path(done["folder"])
    assert all((folder / name).is_file() for name in done["files"])
    (face,) = done["faces"]
    content = json.loads((folder / "face_00.json").read_text())
    assert face["score"] == content["detection"]["score"]
    assert face["box_px"] == content["detection"]["box_px"]
    assert captured.err == f"mlanet: {failed['error']}\n"
    assert run(*words, "--quiet") == 1
    skipped, failed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    (before,) = skipped.pop("faces")
    assert before.pop("box_px") == face.pop("box_px")
    assert before == pytest.approx(face, abs=0.011)  # rounded once more
    assert skipped == {key: done[key] for key in skipped} | {"status": "skipped"}
    assert run(*words[:2], *words[3:]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == done["files"]


def test_faces_of_a_skipped_photo_are_counted_without_their_numbers(photo, tmp_path, capsys):
    words = ["reconstruct", save(photo, tmp_path / "me.png"), "-o", tmp_path, "--formats", "obj"]
    assert run(*words) == run(*words, "--json") == run(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    (face,) = json.loads(lines[1])["faces"]
    assert set(face) == {"score", "confidence", "box_px", "yaw_deg", "pitch_deg", "roll_deg"}
    assert set(face.values()) == {None}
    assert "me.png: 1 face, already done, skipped" in lines[2]


def test_quiet_says_nothing_but_failures(photo, tmp_path, capsys):
    good, bad = save(photo, tmp_path / "me.png"), tmp_path / "missing.png"
    assert run("reconstruct", good, bad, "-o", tmp_path / "out", "--quiet") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "missing.png" in captured.err


def test_scores_and_confidences_are_said():
    score = SimpleNamespace(score=0.876, box_px=np.arange(4.0))
    angles = np.zeros(3)
    sure = SimpleNamespace(detection=score, euler_deg=angles, confidence=0.5)
    unsure = SimpleNamespace(detection=score, euler_deg=angles, confidence=None)
    given = SimpleNamespace(detection=None, euler_deg=angles, confidence=None)
    assert number_and_scores([sure]) == "1 face (score 0.88; confidence 0.50)"
    assert number_and_scores([sure, sure]) == "2 faces (scores 0.88, 0.88; confidences 0.50, 0.50)"
    surer = SimpleNamespace(detection=score, euler_deg=angles, confidence=0.7)
    crowd = [sure, surer, surer, surer, sure]
    assert number_and_scores(crowd) == "5 faces (scores 0.88 to 0.88; confidences 0.50 to 0.70)"
    assert number_and_scores([unsure]) == "1 face (score 0.88)"
    assert number_and_scores([given]) == "1 face"


@pytest.mark.parametrize(
    "arguments",
    [
        ["reconstruct", "--out", "OUT"],
        ["reconstruct", "--example", "--out", "OUT", "--max-faces", "0"],
        ["reconstruct", "--example", "--out", "OUT", "--threads", "-1"],
        ["reconstruct", "--example", "--out", "FILE"],
        ["reconstruct", "--example", "--out", "OUT", "--unknown"],
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_with_two(arguments, tmp_path):
    (tmp_path / "file").write_text("")
    places = {"OUT": str(tmp_path / "out"), "FILE": str(tmp_path / "file")}
    assert run(*[places.get(argument, argument) for argument in arguments]) == 2
    assert not (tmp_path / "out").exists()


def test_an_unwritable_folder_is_one_line(tmp_path, capsys, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(tmp_path / "out"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert run("reconstruct", "--example", "--out", tmp_path / "out") == 1
    assert "Permission denied" in capsys.readouterr().err


def test_files_of_the_users_stay_whatever_they_are_called(photo, tmp_path, capsys):
    path = save(photo, tmp_path / "me.png")
    folder = tmp_path / "out/me"
    folder.mkdir(parents=True)
    mine = {name: f"my {name}" for name in ("face_07.glb", "overlay.png", "notes.txt")}
    for name, text in mine.items():
        (folder / name).write_text(text)
    assert run("reconstruct", path, "--out", tmp_path / "out") == 0
    assert {entry.name: entry.read_text() for entry in folder.iterdir()} == mine
    other = tmp_path / "out/me-2"
    assert {entry.name for entry in other.iterdir()} == FACE_FILES | {"overlay.png"}
    line = capsys.readouterr().out
    assert line.startswith(f"{path}: 1 face (score 0.")
    assert line.endswith(f"; {folder} holds files that are not mlanet's -> {other}\n")


def test_photos_in_the_place_of_results_are_not_touched(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["pose/pose.png", "overlay/overlay.png", "face_00/face_00.png"]
    for name in names:
        Path(name).parent.mkdir()
        save(photo, Path(name))
    before = [Path(name).read_bytes() for name in names]
    for _ in range(2):
        assert run("reconstruct", *names, "--out", ".", "--draw", "pose") == 0
        assert [Path(name).read_bytes() for name in names] == before
    folders = {entry.name for entry in Path().iterdir()}
    assert folders == {f"{Path(name).stem}{end}" for name in names for end in ("", "-2")}


def test_photos_of_one_name_keep_their_results_in_two_runs(photo, tmp_path):
    paths = []
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        paths.append(save(photo.rotate(5 * len(paths)), tmp_path / name / "img.jpg", quality=95))
    for path in [*paths, *paths[::-1]]:
        assert run("reconstruct", path, "--out", tmp_path / "out") == 0
    for path, folder in zip(paths, ("img", "img-2"), strict=True):
        content = json.loads((tmp_path / "out" / folder / MANIFEST).read_text())
        assert content["photo"]["path"] == str(path)
        with Image.open(path) as given, Image.open(tmp_path / "out" / folder / "overlay.png") as o:
            assert np.array_equal(np.asarray(given)[:9], np.asarray(o)[:9])
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_faces_of_a_crowd_are_drawn_as_all_at_once(photo):
    from mlanet import Reconstructor
    from mlanet.reconstruction import draw_faces
    from mlanet.render import draw_picture

    (face,) = Reconstructor.load()(photo)
    smaller, larger = (
        replace(face, crop=replace(face.crop, crop_from_image=face.crop.crop_from_image * scale))
        for scale in (0.8, 1.3)
    )
    crowd = [smaller, face, larger]
    for kind in PICTURES:
        expected = draw_picture(kind, face.image, [each.head for each in crowd])
        fresh = [replace(each) for each in crowd]
        drawn = draw_faces(fresh, kind, hair=False)
        np.testing.assert_array_equal(drawn, expected, err_msg=kind)
        draw_faces(fresh, kind)
        assert not any("head" in vars(each) for each in fresh)


def test_results_stay_below_out_whatever_the_name(photo, tmp_path):
    picture = save(photo, tmp_path / "a.png").read_bytes()
    out = tmp_path / "sub/out"
    names = ["...png", "-dash.png", "ünï çødé.png"]
    for name in names:
        (tmp_path / name).write_bytes(picture)
    assert run("reconstruct", *[tmp_path / name for name in names], "--out", out) == 0
    assert {entry.name for entry in (tmp_path / "sub").iterdir()} == {"out"}
    assert len(list(out.iterdir())) == 3


def test_an_unforeseen_error_costs_one_photo(photo, tmp_path, capsys, monkeypatch):
    from mlanet.reconstruction import Reconstruction

    def fail(*_args, **_kwargs):
        raise ValueError("the stars are wrong")

    monkeypatch.setattr(Reconstruction, "save", fail)
    paths = [save(photo, tmp_path / "a.png"), tmp_path / "missing.png"]
    assert run("reconstruct", *paths, "--out", tmp_path / "out") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "a.png" in lines[0]
    assert "the stars are wrong" in lines[0]


def test_own_weights_are_used(photo, tmp_path, capsys):
    path = save(photo, tmp_path / "a.png")
    (tmp_path / "mine.onnx").write_text("nothing")
    arguments = ["reconstruct", path, "--out", tmp_path / "out", "--weights"]
    assert run(*arguments, tmp_path / "mine.onnx") == 1
    assert "mine.onnx" in capsys.readouterr().err
    assert run(*arguments, verified_path("mobile")) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to handle")
def test_a_terminated_run_leaves_no_half_file(photo, tmp_path):
    paths = [save(photo.resize((3000, 3000)), tmp_path / f"{k}.bmp") for k in range(9)]
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "mlanet", "reconstruct", *map(str, paths), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*/face_00.glb")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=60)[1] == "mlanet: terminated\n"
    assert process.returncode == 143
    assert list(tmp_path.rglob(".*")) == []


def test_faces_of_a_crowd_are_let_go_when_they_are_written(photo, tmp_path):
    from mlanet import Reconstructor
    from mlanet.cli.photos import write_faces

    (face,) = Reconstructor.load()(photo)
    crowd = [replace(face), replace(face)]
    write_faces(crowd, tmp_path, Outputs(draw="depth"))
    assert len(list(tmp_path.glob("face_*.glb"))) == 2
    for each in crowd:
        assert not {"mesh", "head", "texture"} & vars(each).keys()


def test_the_network_sees_a_crowd_in_parts(photo):
    from mlanet.network.runtime import MAX_BATCH, CoefficientRegressor

    regressor = CoefficientRegressor.load()
    sides = range(100, 100 + MAX_BATCH + 3)
    crops = [photo.crop((140, 20, 140 + side, 20 + side)).resize((128, 128)) for side in sides]
    batch = np.stack([np.asarray(crop) for crop in crops])
    single = np.concatenate([regressor(crop[None]) for crop in batch[-5:]])
    assert regressor(batch).shape[0] == len(batch)
    np.testing.assert_allclose(regressor(batch)[-5:], single, atol=1e-3)
    assert regressor(batch[:0]).shape == (0, single.shape[1])
