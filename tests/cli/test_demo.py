import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from mlanet.cli import common, main


def run(*words):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--no-open", *words])
    return stop.value.code


def test_without_its_extra_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(common, "find_spec", lambda _: None)
    assert run() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlanet: the demo needs: pip install ")
    assert "[web]" in line


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_refused(port, capsys):
    assert run("--port", port) == 2
    assert "--port must lie between 0 and 65535" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "203.0.113.1"])
def test_an_address_that_cannot_be_had_is_one_line(host, capsys):
    pytest.importorskip("fastapi", reason="needs the extra web")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run("--host", host, "--port", port) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mlanet: --host {host} --port {port}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_it_prints_its_address_and_ends_with_ctrl_c(tmp_path):
    pytest.importorskip("fastapi", reason="needs the extra web")
    command = [sys.executable, "-m", "mlanet", "demo", "--no-open", "--port", "0"]
    pipe = subprocess.PIPE
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as demo:
        try:
            address = demo.stdout.readline().strip()
            with urllib.request.urlopen(address) as page:
                assert b"<title>mlanet</title>" in page.read()
            assert len(list(tmp_path.iterdir())) == 1
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=20) == 0
            assert demo.stderr.read() == ""
        finally:
            demo.kill()
    assert list(tmp_path.iterdir()) == []
