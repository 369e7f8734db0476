import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")
from mlanet.demo.serving import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) == expected
