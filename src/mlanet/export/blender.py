"""The photo's camera as a script for Blender."""

import json
import os

import numpy as np
from jaxtyping import Float

from mlanet.export.gltf import METRES_PER_MM
from mlanet.files import atomic_path
from mlanet.geometry import Camera, Pose

SENSOR_WIDTH_MM = 36.0
"""Of the camera in Blender: its focal length reads as that of a full-frame photograph."""

BLENDER_FROM_GLTF = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Blender's importer turns glTF's y up into z up."""

SCRIPT = '''"""Opens a head of mlanet in Blender before its photo, seen by the photo's camera.

    blender --python {script}

or open it in Blender's text editor and run it. Keep it beside the head and the overlay.
"""

import json
from pathlib import Path

import bpy
from mathutils import Matrix

HEAD = {head}
PHOTO_SIZE_PX = {size}
LENS_MM, SENSOR_WIDTH_MM, SHIFT = {lens}, {sensor}, {shift}
CAMERA_TO_WORLD = {matrix}

text = getattr(getattr(bpy.context, "space_data", None), "text", None)
folder = Path(text.filepath if text else __file__).resolve().parent
scene = bpy.context.scene
if (folder / HEAD).is_file():
    bpy.ops.import_scene.gltf(filepath=str(folder / HEAD))

lens = bpy.data.cameras.new("Photo")
lens.sensor_fit, lens.sensor_width, lens.lens = "HORIZONTAL", SENSOR_WIDTH_MM, LENS_MM
lens.shift_x, lens.shift_y = SHIFT
lens.clip_start = 0.01
camera = bpy.data.objects.new("Photo", lens)
camera.matrix_world = Matrix(CAMERA_TO_WORLD)
scene.collection.objects.link(camera)
scene.camera = camera
scene.render.resolution_x, scene.render.resolution_y = PHOTO_SIZE_PX
scene.render.resolution_percentage = 100
scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0

pictures = [folder / "overlay.png"]
try:
    manifest = json.loads((folder / "mlanet-result.json").read_text(encoding="utf-8"))
    pictures.insert(0, Path(manifest["photo"]["path"]))
except (OSError, ValueError, KeyError, TypeError):
    pass
for path in pictures:
    try:
        picture = bpy.data.images.load(str(path))
    except RuntimeError:
        continue
    if tuple(picture.size) == tuple(PHOTO_SIZE_PX):  # a photo that lies on its side is another
        background = lens.background_images.new()
        background.image, background.alpha = picture, 1.0
        lens.show_background_images = True
        break
'''


def write_blender_camera(
    path: str | os.PathLike[str],
    camera: Camera,
    pose: Pose,
    size_px: tuple[int, int],
    head: str,
) -> None:
    """Write a script that makes the photo's camera in Blender, before the head and the photo.

    The principal point of a face's camera is rarely the photo's middle, which glTF's cameras
    cannot say; Blender's can (lens shift).

    Args:
        path: where to, a `.py` file.
        camera: in pixels of the photo.
        pose: model to camera, mm.
        size_px: width and height of the photo.
        head: name of the GLB file (metres) in the same folder.

    Raises:
        OSError: the file cannot be written.
    """
    width, height = size_px
    x, y = camera.principal_point_px
    values = {
        "script": os.path.basename(path),  # noqa: PTH119 - also of names that Path cannot hold
        "head": json.dumps(head),
        "size": (width, height),
        "lens": float(SENSOR_WIDTH_MM * camera.focal_length_px / width),
        "sensor": SENSOR_WIDTH_MM,
        "shift": (float((width / 2.0 - x) / width), float((y - height / 2.0) / width)),
        "matrix": np.round(camera_to_blender(pose), 8).tolist(),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(SCRIPT.format(**values), encoding="utf-8")


def camera_to_blender(pose: Pose) -> Float[np.ndarray, "4 4"]:
    """Blender's camera frame (x right, y up, z backwards) to its world, metres."""
    to_model = np.asarray(pose.rotation, dtype=np.float64).T
    matrix = np.eye(4)
    matrix[:3, :3] = BLENDER_FROM_GLTF @ to_model @ np.diag([1.0, -1.0, -1.0])
    centre_mm = -to_model @ np.asarray(pose.translation, dtype=np.float64)
    matrix[:3, 3] = BLENDER_FROM_GLTF @ centre_mm * METRES_PER_MM
    return matrix
