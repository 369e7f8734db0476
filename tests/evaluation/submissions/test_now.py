import pickle

import numpy as np
import pytest

from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation.reporting import Report
from mlanet.evaluation.submissions.now import read_box, read_image_list
from mlanet.evaluation.submissions.submission import COLUMNS
from mlanet.image import read_image, write_image
from mlanet.morphable.readers.wavefront import read_obj
from mlanet.reconstructor import Reconstructor

SUBJECT = "FaMoS_180424_03335_TA"


def write_box(path, sides, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(sides, dtype=object), **options)
    return path


@pytest.fixture
def dataset(tmp_path):
    """Three images in NoW's layout: the example photo, the same by its box, and no face at all."""
    root = tmp_path / "NoW_Dataset" / "final_release_version"
    photo = read_image(verified_path("example-image"))
    blank = np.full((200, 200, 3), 128, np.uint8)
    entries = {"multiview_neutral/IMG_1": photo, "selfie/IMG_2": blank, "selfie/IMG_3": blank}
    for name, picture in entries.items():
        path = root / "iphone_pictures" / SUBJECT / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, picture)
    box = {"left": np.float32(170), "top": np.int64(60), "right": 280, "bottom": 200.5}
    write_box(root / "detected_face" / SUBJECT / "multiview_neutral" / "IMG_1.npy", box)
    box = {"left": 50, "top": 40, "right": 150, "bottom": 160}
    write_box(root / "detected_face" / SUBJECT / "selfie" / "IMG_2.npy", box)
    names = tmp_path / "imagepathsvalidation.txt"
    names.write_text("".join(f"{SUBJECT}/{name}.jpg\n" for name in entries))
    return names


def status(data, images, out):
    """Exit status of the command."""
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "now", "--data", str(data), "--images", str(images), "--out", str(out)])
    return stop.value.code


def test_predictions_in_nows_layout(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    assert status(tmp_path, dataset, out) == 1
    printed = capsys.readouterr()
    assert "selfie/IMG_3: no face" in printed.err
    assert "2 of 3" in printed.out
    assert "1 faces that the detector did not find" in printed.out
    files = sorted(str(path.relative_to(out / SUBJECT)) for path in out.rglob("*.*"))
    assert files == [
        f"{name}.{kind}"
        for name in ("multiview_neutral/IMG_1", "selfie/IMG_2")
        for kind in ("npy", "obj")
    ]
    mesh = read_obj(out / SUBJECT / "multiview_neutral" / "IMG_1.obj")
    points = np.load(out / SUBJECT / "multiview_neutral" / "IMG_1.npy")
    assert points.shape == (7, 3)
    assert points[0, 0] < points[1, 0] < points[2, 0] < points[3, 0]  # eyes from right to left
    assert points[5, 1] < points[4, 1] < points[0, 1]  # mouth below nose below eyes
    apart = np.linalg.norm(points[:, None] - mesh.vertices[None], axis=-1).min(axis=1)
    assert apart.max() < 3.0  # mm: landmarks lie on the mesh


def test_the_report_counts_and_shows(dataset, tmp_path, capsys):
    arguments = ["--data", tmp_path, "--images", dataset, "--out", tmp_path / "out"]
    with pytest.raises(SystemExit):
        main(["evaluate", "now", *map(str, arguments)])
    folder = tmp_path / "out.report"
    assert str(folder / "report.html") in capsys.readouterr().out
    report = Report.read(folder / "report.json")
    assert report.table("Images").rows == (
        ("multiview_neutral", 1, 0, 0),
        ("selfie", 2, 1, 1),
        ("all", 3, 1, 1),
    )
    name = f"{SUBJECT}/selfie/IMG_3"
    assert report.rows.values("error") == ["", "", f"{name}: no face was found"]
    assert report.rows.values("written") == [1, 1, 0]
    assert report.rows.values("by_box") == [0, 1, 0]
    page = (folder / "report.html").read_text()
    drawn_by_lot, cut = page.split("Drawn by lot")[1].split("Cut by the benchmark")
    assert drawn_by_lot.count("<img") == 2 * len(COLUMNS)  # the third has no face
    assert cut.count("<img") == len(COLUMNS)
    assert "| all | 3 | 1 | 1 |" in (folder / "report.md").read_text()


@pytest.mark.parametrize(("out", "report"), [(".", "work.report"), ("..", "home.report")])
def test_folders_without_a_name_of_their_own(dataset, tmp_path, monkeypatch, capsys, out, report):
    work = tmp_path / "home" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    lines = dataset.read_text().splitlines()
    dataset.write_text(lines[0])
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "now", "--data", str(tmp_path), "--images", str(dataset), "--out", out])
    assert stop.value.code == 0
    assert capsys.readouterr().err.strip() == ""
    folder = next(tmp_path.rglob("*.report"))
    assert folder == (work / out).resolve().parent / report
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".html", ".json", ".md"]


def test_bad_pictures_and_boxes_are_named_and_the_others_done(dataset, tmp_path, capsys):
    names = [f"{SUBJECT}/selfie/{name}" for name in ("IMG_0", "IMG_2", "IMG_3", "IMG_4")]
    dataset.write_text("".join(f"{name}.jpg\n" for name in names) + dataset.read_text())
    root = tmp_path / "NoW_Dataset" / "final_release_version"
    boxes, pictures = root / "detected_face", root / "iphone_pictures"
    whole = (pictures / f"{names[1]}.jpg").read_bytes()
    (pictures / f"{names[0]}.jpg").write_bytes(whole[: len(whole) // 2])
    write_box(boxes / f"{names[0]}.npy", {"left": 50, "top": 40, "right": 150, "bottom": 160})
    write_box(boxes / f"{names[2]}.npy", {"left": 1})
    dataset.write_text("\n".join(dict.fromkeys(dataset.read_text().split())))
    out = tmp_path / "out"
    assert status(tmp_path, dataset, out) == 1
    printed = capsys.readouterr()
    assert "2 of 5" in printed.out
    box, damaged, faceless, absent = printed.err.strip().splitlines()
    assert damaged.startswith(f"mlanet: {pictures / names[0]}.jpg: ")
    assert box.startswith(f"mlanet: warning: {boxes / names[2]}.npy: not one of NoW's boxes")
    assert faceless == f"mlanet: {names[2]}: no face was found"
    assert absent == f"mlanet: {pictures / names[3]}.jpg: there is no such file"
    assert len(list(out.rglob("*.obj"))) == 2
    report = Report.read(tmp_path / "out.report" / "report.json")
    assert report.table("Images").rows[-1] == ("all", 5, 1, 3)
    table = report.table("Images to look at")
    assert table.values("image") == names
    assert table.value(names[2], "error") == f"{names[2]}: no face was found"
    assert "not one of NoW's boxes" in table.value(names[2], "warning")
    for name in (names[0], names[3]):
        assert str(pictures / name) in table.value(name, "error")
        assert table.value(name, "warning") == ""
    text = (tmp_path / "out.report" / "report.md").read_text()
    assert "there is no such file" in text


def test_faces_are_at_rest(dataset, tmp_path):
    out = tmp_path / "out"
    arguments = ["--data", tmp_path, "--images", dataset, "--out", out]
    with pytest.raises(SystemExit):
        main(["evaluate", "now", *map(str, arguments)])
    reconstructor = Reconstructor.load()
    path = next(tmp_path.rglob("iphone_pictures/*/multiview_neutral/IMG_1.jpg"))
    face = reconstructor(path, max_faces=1)[0]
    rest = face.model.vertices(face.coefficients.identity, 0.0 * face.coefficients.expression)
    mesh = read_obj(out / SUBJECT / "multiview_neutral" / "IMG_1.obj")
    np.testing.assert_allclose(mesh.vertices, rest, atol=1e-3)


@pytest.mark.parametrize("line", ["a/b.jpg", "a/elsewhere/b.jpg", "../selfie/b.jpg", ""])
def test_lists_of_something_else(tmp_path, line):
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(DataError, match=r"list\.txt"):
        read_image_list(tmp_path / "list.txt")


class Payload:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    "content",
    [{"left": 1, "top": 2}, {"left": 9, "top": 0, "right": 1, "bottom": 5}, Payload(), [1, 2]],
)
def test_boxes_of_something_else(tmp_path, content, capsys):
    path = write_box(tmp_path / "box.npy", content)
    with pytest.raises(DataError, match=r"box\.npy"):
        read_box(path)
    assert capsys.readouterr().out == ""


def test_boxes_of_python_2_are_read(tmp_path):
    box = {"left": 1, "top": 2, "right": 30, "bottom": 40}
    path = tmp_path / "box.npy"
    write_box(path, box)
    header = path.read_bytes()[: path.read_bytes().index(b"\n") + 1]
    content = pickle.dumps(np.array(box, dtype=object), protocol=2)
    path.write_bytes(header + content)
    np.testing.assert_array_equal(read_box(path), [1, 2, 30, 40])
