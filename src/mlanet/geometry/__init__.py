"""Pure geometry: rotations, camera, meshes, light, alignment. No files, no networks."""

from mlanet.geometry.alignment import Similarity, fit_similarity
from mlanet.geometry.boxes import bounding_box, box_iou
from mlanet.geometry.camera import (
    FOCAL_LENGTH_PER_CROP,
    REFERENCE_DISTANCE_MM,
    Camera,
    Pose,
    decode_pose,
    decode_translation,
    encode_translation,
    landmarks_in_pixels,
)
from mlanet.geometry.closest import (
    SurfaceIndex,
    SurfacePoints,
    closest_points_naive,
    distance_to_nearest,
    on_border,
)
from mlanet.geometry.harmonics import (
    AMBIENT_WHITE,
    POLYNOMIAL_LIGHT,
    decode_lighting,
    harmonics_basis,
    shading,
)
from mlanet.geometry.ibug import MIRRORED_LANDMARKS
from mlanet.geometry.mesh import (
    Mesh,
    MeshTopology,
    face_normals,
    points_on_surface,
    subdivide_faces,
    vertex_normals,
)
from mlanet.geometry.pieces import connected_pieces
from mlanet.geometry.planar import delaunay_weights
from mlanet.geometry.quaternions import (
    between,
    continuous,
    matrix_from_quaternion,
    matrix_from_vector,
    mean_rotation,
    quaternion_from_matrix,
    quaternion_from_vector,
    vector_from_matrix,
    vector_from_quaternion,
)
from mlanet.geometry.rotation import (
    FRONTAL_6D,
    angle_between,
    are_rotations,
    euler_from_matrix,
    matrix_from_6d,
    matrix_from_euler,
    six_d_from_matrix,
    viewer_from_camera,
)
from mlanet.geometry.turning import turn_coefficients_back, turn_points_back

__all__ = [
    "AMBIENT_WHITE",
    "FOCAL_LENGTH_PER_CROP",
    "FRONTAL_6D",
    "MIRRORED_LANDMARKS",
    "POLYNOMIAL_LIGHT",
    "REFERENCE_DISTANCE_MM",
    "Camera",
    "Mesh",
    "MeshTopology",
    "Pose",
    "Similarity",
    "SurfaceIndex",
    "SurfacePoints",
    "angle_between",
    "are_rotations",
    "between",
    "bounding_box",
    "box_iou",
    "closest_points_naive",
    "connected_pieces",
    "continuous",
    "decode_lighting",
    "decode_pose",
    "decode_translation",
    "delaunay_weights",
    "distance_to_nearest",
    "encode_translation",
    "euler_from_matrix",
    "face_normals",
    "fit_similarity",
    "harmonics_basis",
    "landmarks_in_pixels",
    "matrix_from_6d",
    "matrix_from_euler",
    "matrix_from_quaternion",
    "matrix_from_vector",
    "mean_rotation",
    "on_border",
    "points_on_surface",
    "quaternion_from_matrix",
    "quaternion_from_vector",
    "shading",
    "six_d_from_matrix",
    "subdivide_faces",
    "turn_coefficients_back",
    "turn_points_back",
    "vector_from_matrix",
    "vector_from_quaternion",
    "vertex_normals",
    "viewer_from_camera",
]
