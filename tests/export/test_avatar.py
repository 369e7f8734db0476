import json
import os
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree

from mlanet.export import can_be_avatar, write_avatar
from mlanet.export.avatar import LASHES, LEAST_OFFSET_MM, SURFACES
from mlanet.export.simplify import CUTS, TOLERANCE_MM, inside_mouth, simplified_faces
from mlanet.geometry import MeshTopology
from mlanet.morphable import load_model

READERS = Path(__file__).with_name("readers.mjs")
WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
TYPES = {5123: np.uint16, 5126: np.float32}


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def person(model):
    rng = np.random.default_rng(3)
    layout = model.layout
    return rng.normal(size=layout.identity), rng.uniform(-0.1, 1.1, layout.expression)


@pytest.fixture(scope="module")
def texture():
    return np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def path(model, person, texture, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "face.glb"
    write_avatar(path, model, *person, texture, name="face_07")
    return path


@pytest.fixture(scope="module")
def file(path):
    return Avatar(path)


class Avatar:
    """The file's arrays by the layout of the specification, sparse accessors filled in."""

    def __init__(self, path):
        data = path.read_bytes()
        assert data[:4] == b"glTF"
        (size,) = struct.unpack_from("<I", data, 12)
        self.document = json.loads(data[20 : 20 + size])
        self.binary = data[28 + size :]
        self.nodes = {node["name"]: node for node in self.document["nodes"]}
        self.meshes = {mesh["name"]: mesh for mesh in self.document["meshes"]}

    def view(self, reference, kind, count, width):
        view = self.document["bufferViews"][reference["bufferView"]]
        start = view.get("byteOffset", 0) + reference.get("byteOffset", 0)
        found = np.frombuffer(self.binary, kind, count * width, start)
        return found.reshape(count, width)

    def values(self, index):
        accessor = self.document["accessors"][index]
        width, kind = WIDTH[accessor["type"]], TYPES[accessor["componentType"]]
        if "bufferView" in accessor:
            return self.view(accessor, kind, accessor["count"], width)
        found = np.zeros((accessor["count"], width), kind)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            assert sparse["indices"]["componentType"] == 5123
            rows = self.view(sparse["indices"], np.uint16, sparse["count"], 1)[:, 0]
            found[rows] = self.view(sparse["values"], kind, sparse["count"], width)
        return found

    def primitive(self, name):
        (primitive,) = self.meshes[name]["primitives"]
        return primitive

    def attribute(self, name, kind):
        return self.values(self.primitive(name)["attributes"][kind])

    def targets(self, name, kind="POSITION"):
        names = self.meshes[name]["extras"]["targetNames"]
        targets = self.primitive(name)["targets"]
        return {n: self.values(t[kind]) for n, t in zip(names, targets, strict=True)}

    def faces(self, name):
        return self.values(self.primitive(name)["indices"]).reshape(-1, 3).astype(np.int32)

    def place_mm(self, name):
        """Where a node's origin is: all nodes only translate."""
        above = {
            self.document["nodes"][c]["name"]: n
            for n in self.nodes
            for c in self.nodes[n].get("children", [])
        }
        total = np.zeros(3)
        while name is not None:
            assert "rotation" not in self.nodes[name]
            total += self.nodes[name].get("translation", [0.0, 0.0, 0.0])
            name = above.get(name)
        return total * 1000.0

    def vertices_mm(self, name, **weights):
        """In the model frame, with some targets."""
        offsets = self.targets(name)
        base = self.attribute(name, "POSITION").astype(float)
        moved = base + sum(weight * offsets[n] for n, weight in weights.items())
        return moved * 1000.0 + self.place_mm(name)


def test_the_head_hangs_from_joints_that_readers_know(file, model, person):
    nodes, names = file.nodes, [node["name"] for node in file.document["nodes"]]
    children = {name: {names[c] for c in nodes[name].get("children", [])} for name in nodes}
    assert file.document["scenes"][0]["nodes"] == [names.index("face_07")]
    assert children["face_07"] == {"Neck"}
    assert children["Neck"] == {"Head"}
    meshes = {"Wolf3D_Head", "Wolf3D_Teeth", "Tongue", "Eyelashes"}
    assert children["Head"] == {*meshes, "LeftEye", "RightEye"}
    assert children["LeftEye"] == {"EyeLeft"}
    assert children["RightEye"] == {"EyeRight"}
    neutral = model.vertices(person[0], np.zeros_like(person[1]))
    left, right = model.eye_centres(neutral)
    np.testing.assert_allclose(file.place_mm("LeftEye"), left, atol=1e-3)
    np.testing.assert_allclose(file.place_mm("RightEye"), right, atol=1e-3)
    np.testing.assert_allclose(file.place_mm("Head"), 0.0, atol=1e-3)
    assert -180.0 < file.place_mm("Neck")[1] < -80.0


def test_every_mesh_has_the_52_expressions_and_the_photos_weights(file, model, person):
    assert set(file.meshes) == {surface.name for surface in (*SURFACES, LASHES)}
    for mesh in file.meshes.values():
        assert mesh["extras"]["targetNames"] == list(model.expression_names)
        assert len(mesh["extras"]["targetNames"]) == 52
        np.testing.assert_allclose(mesh["weights"], np.clip(person[1], 0.0, 1.0))


@pytest.mark.parametrize("name", ["", "eyeBlinkLeft", "jawOpen", "eyeLookUpRight", "tongueOut"])
def test_targets_give_the_models_vertices(file, model, person, name):
    expression = np.array([float(name == known) for known in model.expression_names])
    neutral = model.vertices(person[0], np.zeros_like(expression)).astype(float)
    wanted = model.vertices(person[0], expression)
    for surface in SURFACES:
        base = file.vertices_mm(surface.name)
        own = np.unique(model.topology.faces[model.faces_of(*surface.parts)])
        distance, nearest = KDTree(neutral[own]).query(base)
        assert distance.max() < 1e-3
        moved = file.vertices_mm(surface.name, **({name: 1.0} if name else {}))
        error = np.linalg.norm(moved - wanted[own[nearest]], axis=1)
        assert error.max() < LEAST_OFFSET_MM + 1e-3


def test_left_is_the_subjects_left(file):
    """ARKit's convention; x points there."""
    x = file.attribute("Wolf3D_Head", "POSITION")[:, 0]
    targets = file.targets("Wolf3D_Head")
    for name, offsets in targets.items():
        assert offsets.any(), name
        if name in ("jawLeft", "mouthLeft"):
            assert offsets[:, 0].sum() > 0.0 > targets[name[:-4] + "Right"][:, 0].sum()
        elif name.endswith("Left"):
            for side, sign in (("Left", 1.0), ("Right", -1.0)):
                moved = np.linalg.norm(targets[name[:-4] + side], axis=1)
                assert moved[sign * x > 0.0].sum() > 0.75 * moved.sum(), name


def test_eyes_turn_about_their_centres(file):
    for side, other in (("Left", "Right"), ("Right", "Left")):
        name = f"Eye{side}"
        moving = {n for n, offsets in file.targets(name).items() if offsets.any()}
        assert moving == {f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out")}
        radius = np.linalg.norm(file.attribute(name, "POSITION"), axis=1) * 1000.0
        assert np.ptp(radius) < 3.0
        front = file.vertices_mm(name)[:, 2].argmax()
        rise = file.vertices_mm(name, **{f"eyeLookUp{side}": 1.0}) - file.vertices_mm(name)
        assert rise[front, 1] > 4.0
        inwards = file.vertices_mm(name, **{f"eyeLookIn{side}": 1.0}) - file.vertices_mm(name)
        assert inwards[front, 0] * file.place_mm(name)[0] < 0.0
        assert not file.targets(name)[f"eyeLookUp{other}"].any()


def test_normals_are_unit_and_turn_with_the_face(file, model, person):
    neutral = model.vertices(person[0], np.zeros_like(person[1])).astype(float)
    for surface in SURFACES:
        normals = file.attribute(surface.name, "NORMAL")
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
        corners = file.attribute(surface.name, "POSITION")[file.faces(surface.name)]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        mean = normals[file.faces(surface.name)].sum(axis=1)
        assert ((flat * mean).sum(axis=1) > 0.0).mean() > 0.99
    base = file.vertices_mm("Wolf3D_Head")
    source = KDTree(neutral).query(base)[1]
    still = file.attribute("Wolf3D_Head", "NORMAL").astype(float)
    for name in ("eyeBlinkLeft", "mouthSmileLeft", "jawOpen"):
        expression = np.array([float(name == known) for known in model.expression_names])
        wanted = model.normals(model.vertices(person[0], expression).astype(float))[source]
        turned = still + file.targets("Wolf3D_Head", "NORMAL")[name]
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        moving = np.linalg.norm(file.targets("Wolf3D_Head", "NORMAL")[name], axis=1) > 0.0
        before, after = (
            np.arccos(np.clip((n * wanted).sum(axis=1), -1.0, 1.0))[moving].mean()
            for n in (still, turned)
        )
        assert after < 0.5 * before


def signed_areas(a, b, c):
    return np.linalg.det(np.stack([b - a, c - a], axis=1)) / 2.0


def test_surfaces_are_simplified_without_gaps_or_overlaps(model):
    offsets = model.subdivide(np.moveaxis(model.shape.expression, 2, 0))
    mean = model.subdivide(model.shape.mean)
    faces, uv_faces = simplified_faces(model, np.concatenate([mean[None], mean + offsets]))
    assert len(faces) < 0.6 * len(model.topology.faces)
    border = MeshTopology(faces, len(mean)).border_vertices
    assert not (border & ~model.topology.border_vertices).any()
    assert set(range(model.num_base_vertices)) <= set(np.unique(faces))

    def areas(triangles):
        return signed_areas(*(model.uv[triangles[:, k]].astype(float) for k in range(3)))

    assert (areas(uv_faces) > 0.0).mean() == pytest.approx((areas(model.uv_faces) > 0.0).mean())
    assert areas(uv_faces).sum() == pytest.approx(areas(model.uv_faces).sum(), rel=1e-6)
    gone = np.setdiff1d(np.arange(model.num_base_vertices, len(mean)), faces)
    gone = gone[~inside_mouth(model)[gone]]
    ends = model.midpoint_index[gone - model.num_base_vertices, :2]
    for shape in (mean, *(mean + offsets)):
        bend = np.linalg.norm(shape[gone] - shape[ends].mean(axis=1), axis=1)
        assert bend.max() <= TOLERANCE_MM + 1e-3


def test_each_triangle_is_cut_whole_however_its_edges_are_kept():
    """a, b, c at the corners of a right triangle; every cut covers it once."""
    corners = np.array([[0, 0], [0.5, 0], [0, 0.5], [1, 0], [0.5, 0.5], [0, 1.0]])
    for case, cut in enumerate(CUTS):
        a, b, c = (corners[list(ends)] for ends in zip(*cut, strict=True))
        areas = signed_areas(a, b, c)
        assert (areas > 0.0).all()
        assert areas.sum() == pytest.approx(0.5)
        kept = {1: case & 1, 4: case & 2, 2: case & 4}
        assert {point for point, used in kept.items() if used} == set(np.ravel(cut)) - {0, 3, 5}


def test_trimesh_opens_it_with_one_picture_on_all_parts(path, texture, file):
    scene = trimesh.load(path, process=False)
    assert set(scene.geometry) == set(file.meshes)
    for name, surface in scene.geometry.items():
        np.testing.assert_array_equal(surface.faces, file.faces(name))
        if name == LASHES.name:
            continue
        uv = file.attribute(name, "TEXCOORD_0")
        assert uv.min() >= 0.0
        assert uv.max() <= 1.0
        np.testing.assert_allclose(surface.visual.uv, uv * [1, -1] + [0, 1], atol=1e-6)
        picture = surface.visual.material.baseColorTexture.convert("RGB")
        assert picture.size == (64, 64)
        assert abs(np.asarray(picture, float).mean() - texture.mean()) < 3.0
        assert surface.visual.material.metallicFactor == 0.0
    found = {name: mesh.visual.material.roughnessFactor for name, mesh in scene.geometry.items()}
    assert found["EyeLeft"] < found["Wolf3D_Teeth"] < found["Wolf3D_Head"]
    assert 0.25 < scene.extents[1] < 0.4  # metres
    for name in ("EyeLeft", "EyeRight", "Wolf3D_Teeth"):
        merged = scene.geometry[name].copy()
        merged.merge_vertices(merge_tex=True, merge_norm=True)
        assert merged.is_watertight
        assert merged.volume > 0.0


def test_it_is_small_and_the_same_each_time(path, model, person, texture, tmp_path):
    write_avatar(tmp_path / "again.glb", model, *person, texture, name="face_07")
    assert (tmp_path / "again.glb").read_bytes() == path.read_bytes()
    assert path.stat().st_size < 2.75e6  # of 3 MB, without a picture to speak of


def test_the_face_alone_is_the_same_face_up_to_its_border(model, person, texture, file, tmp_path):
    path = tmp_path / "face.glb"
    write_avatar(path, model, *person, texture, extent="face")
    face = Avatar(path)
    assert set(face.nodes) - {"face"} == set(file.nodes) - {"face_07"}
    for name in ("EyeLeft", "EyeRight", "Wolf3D_Teeth", "Tongue"):
        np.testing.assert_array_equal(face.vertices_mm(name), file.vertices_mm(name))
    for weights in ({}, {"jawOpen": 1.0, "browInnerUp": 0.5}):
        whole = file.vertices_mm("Wolf3D_Head", **weights)
        part = face.vertices_mm("Wolf3D_Head", **weights)
        distance, _ = KDTree(whole).query(part)
        assert (distance == 0.0).mean() > 0.95  # but on the border
        assert distance.max() < 8.0
    assert len(part) < 0.75 * len(whole)
    normals = face.attribute("Wolf3D_Head", "NORMAL")
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("which", ["path", "detailed"])
def test_node_readers_open_it(which, model, request):
    path = request.getfixturevalue(which)
    file = Avatar(path)
    modules = os.environ.get("MLANET_NODE_MODULES", "")
    if shutil.which("node") is None or not Path(modules, "gltf-validator").is_dir():
        pytest.skip("needs node and MLANET_NODE_MODULES with npm's gltf-validator and three")
    done = subprocess.run(["node", READERS, path], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    counts = {name: found["issues"][f"num{name}"] for name in ("Errors", "Warnings", "Infos")}
    assert counts == {"Errors": 0, "Warnings": 0, "Infos": 0}
    assert set(found["meshes"]) == set(file.meshes)
    for name, mesh in found["meshes"].items():
        np.testing.assert_allclose(mesh["weights"], file.meshes[name]["weights"])
        assert mesh["normals"] == 52
        for target, offsets in file.targets(name).items():
            farthest = np.linalg.norm(offsets, axis=1).max()
            assert mesh["reach"][target] == pytest.approx(farthest, abs=1e-6)
        weights = dict(zip(model.expression_names, mesh["weights"], strict=True))
        middle = file.vertices_mm(name, **weights).mean(axis=0) / 1000.0
        np.testing.assert_allclose(mesh["middle"], middle, atol=1e-5)


@pytest.fixture(scope="module")
def detailed(model, person, texture, tmp_path_factory):
    path = tmp_path_factory.mktemp("detailed") / "face.glb"
    detail = np.full((32, 32, 3), (128, 128, 255), np.uint8)
    detail[:16] = 140, 128, 254
    write_avatar(path, model, *person, texture, detail=detail)
    return path


def test_the_skin_alone_has_detail(detailed, file):
    made = Avatar(detailed)
    document = made.document
    normal = {m["name"]: m.get("normalTexture") for m in document["materials"]}
    assert {name for name, found in normal.items() if found} == {"Wolf3D_Skin"}
    picture = document["textures"][normal["Wolf3D_Skin"]["index"]]["source"]
    assert picture == 1
    assert len(document["images"]) == 2
    for material in document["materials"]:
        if material["name"] != LASHES.material:
            assert material["pbrMetallicRoughness"]["baseColorTexture"]["index"] == 0
    for name in made.meshes:
        (primitive,) = made.meshes[name]["primitives"]
        assert ("TANGENT" in primitive["attributes"]) == (name == "Wolf3D_Head")
        np.testing.assert_array_equal(
            made.attribute(name, "POSITION"), file.attribute(name, "POSITION")
        )


def test_tangents_go_along_the_texture(detailed):
    made = Avatar(detailed)
    tangent = made.attribute("Wolf3D_Head", "TANGENT")
    normal, points, uv = (
        made.attribute("Wolf3D_Head", name).astype(float)
        for name in ("NORMAL", "POSITION", "TEXCOORD_0")
    )
    np.testing.assert_allclose(np.linalg.norm(tangent[:, :3], axis=1), 1.0, atol=1e-5)
    assert np.abs((tangent[:, :3] * normal).sum(axis=1)).max() < 1e-4
    assert set(tangent[:, 3]) <= {-1.0, 1.0}
    bitangent = np.cross(normal, tangent[:, :3]) * tangent[:, 3:]
    corners = made.values(made.meshes["Wolf3D_Head"]["primitives"][0]["indices"]).reshape(-1, 3)
    step, place = (values[corners[:, 1]] - values[corners[:, 0]] for values in (points, uv))
    # an edge's run in the texture has the signs of its run along the tangents, but for folds
    for axis, along in ((tangent[:, :3], place[:, 0]), (bitangent, -place[:, 1])):
        run = (step * axis[corners[:, 0]]).sum(axis=1)
        long = np.abs(along) > np.quantile(np.abs(along), 0.7)
        assert (np.sign(run[long]) == np.sign(along[long])).mean() > 0.9


def test_what_cannot_move_is_refused(model, person, texture, tmp_path):
    one_surface = replace(model, part_names=(), vertex_parts=np.zeros(0, np.int32))
    assert can_be_avatar(model)
    assert not can_be_avatar(one_surface)
    with pytest.raises(ValueError, match="lacks parts"):
        write_avatar(tmp_path / "face.glb", one_surface, *person, texture)
    with pytest.raises(ValueError, match="texture must be"):
        write_avatar(tmp_path / "face.glb", model, *person, texture / 255.0)
    with pytest.raises(ValueError, match="detail must be"):
        write_avatar(tmp_path / "face.glb", model, *person, texture, detail=texture[..., 0])
    with pytest.raises(ValueError, match="must be finite"):
        write_avatar(tmp_path / "face.glb", model, person[0] * np.nan, person[1], texture)
    assert not list(tmp_path.iterdir())


def test_regions_are_not_needed(model, person, texture, tmp_path):
    write_avatar(tmp_path / "face.glb", replace(model, regions={}), *person, texture)
    names = {surface.name for surface in (*SURFACES, LASHES)}
    assert set(Avatar(tmp_path / "face.glb").meshes) == names


def test_targets_that_move_nothing_take_no_room(model, person, texture, tmp_path):
    still = replace(model.shape, expression=0.0 * model.shape.expression)
    write_avatar(tmp_path / "face.glb", replace(model, shape=still), *person, texture)
    file = Avatar(tmp_path / "face.glb")
    assert all(view["byteLength"] for view in file.document["bufferViews"])
    assert not any("sparse" in accessor for accessor in file.document["accessors"])
    assert not any(offsets.any() for offsets in file.targets("Tongue").values())
