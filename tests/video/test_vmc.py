import numpy as np
import pytest

pythonosc = pytest.importorskip("pythonosc", reason="needs the extra live")
from pythonosc.osc_packet import OscPacket

from mlanet.geometry import Camera, Pose, matrix_from_euler
from mlanet.morphable import load_model
from mlanet.render import UnbuiltHead
from mlanet.video.capture import LiveFace
from mlanet.video.vmc import MOST_BYTES, vmc_packets


@pytest.fixture(scope="module")
def model():
    return load_model()


def face_of(model, angles_deg=(0.0, 0.0, 0.0), **weights):
    expression = np.zeros(model.layout.expression)
    for name, weight in weights.items():
        expression[model.expression_names.index(name)] = weight
    rotation = matrix_from_euler(np.radians(angles_deg))
    place = Pose(rotation, np.array([0.0, 0.0, 700.0]))
    camera = Camera(700.0, (160.0, 120.0))
    identity = np.zeros(model.layout.identity)
    head = UnbuiltHead(model, identity, expression, place, camera)
    return LiveFace(0.5, 0, expression, rotation, head, np.zeros(model.layout.albedo))


def messages(packets):
    assert all(len(packet) <= MOST_BYTES for packet in packets)
    return [(m.message.address, m.message.params) for p in packets for m in OscPacket(p).messages]


def test_a_frame_is_bones_weights_and_their_end(model):
    face = face_of(model, jawOpen=0.25)
    found = messages(vmc_packets(model, face, 2.5, calibrated=True))
    assert ("/VMC/Ext/OK", [1, 3, 0, 1]) in found
    assert ("/VMC/Ext/T", [2.5]) in found
    weights = dict(values for address, values in found if address == "/VMC/Ext/Blend/Val")
    assert sorted(weights) == sorted(model.expression_names)
    assert weights["jawOpen"] == pytest.approx(0.25)
    assert found[-1] == ("/VMC/Ext/Blend/Apply", [])
    bones = [values[0] for address, values in found if address == "/VMC/Ext/Bone/Pos"]
    assert bones == ["Head", "LeftEye", "RightEye"]


def bone(model, face, name):
    found = messages(vmc_packets(model, face, 0.0, calibrated=False))
    (values,) = [v for address, v in found if address == "/VMC/Ext/Bone/Pos" and v[0] == name]
    assert values[1:4] == [0.0, 0.0, 0.0]
    return np.array(values[4:])


def forward(quaternion):
    """Where Unity's forward (0, 0, 1) goes: the formula of a unit quaternion."""
    x, y, z, w = quaternion
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [
        ((0.0, 30.0, 0.0), 0, 1),  # to the person's right, which is +x in Unity
        ((0.0, -30.0, 0.0), 0, -1),
        ((30.0, 0.0, 0.0), 1, 1),  # upwards
    ],
)
def test_heads_turn_in_unitys_axes(model, angles, axis, sign):
    towards = forward(bone(model, face_of(model, angles), "Head"))
    assert towards[axis] == pytest.approx(sign * 0.5, abs=1e-6)


def test_a_head_tilts_to_its_left_shoulder(model):
    x, y, z, w = bone(model, face_of(model, (0.0, 0.0, 30.0)), "Head")
    up_x = 2 * (x * y - w * z)  # where Unity's up (0, 1, 0) goes
    assert up_x == pytest.approx(-0.5, abs=1e-6)


def test_eyes_look_where_the_weights_say(model):
    face = face_of(model, eyeLookOutLeft=1.0, eyeLookInRight=1.0, eyeLookUpLeft=0.0)
    for name in ("LeftEye", "RightEye"):
        assert forward(bone(model, face, name))[0] < -0.1  # to the person's left
    face = face_of(model, eyeLookUpLeft=1.0)
    assert forward(bone(model, face, "LeftEye"))[1] > 0.1


def test_nobody_is_told(model):
    found = messages(vmc_packets(model, None, 1.0, calibrated=False))
    assert found == [("/VMC/Ext/OK", [1, 0, 0, 0]), ("/VMC/Ext/T", [1.0])]
