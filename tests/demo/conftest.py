import http.client
import io
import json
import threading
import time
from contextlib import contextmanager

import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.image import read_image

LOOPBACK = ("127.0.0.1",)


class Client:
    """What a browser or a script would ask of a server at a port of this machine."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, address, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, address, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def post(self, address, photo, **headers):
        """Status, and the answer's JSON."""
        status, _, content = self.ask("POST", address, photo, **headers)
        return status, json.loads(content)


@pytest.fixture(scope="session")
def running():
    """Serve with a worker, real or not, inside a block."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra web")
    pytest.importorskip("fastapi", reason="needs the extra web")
    from mlanet.demo.app import demo_app

    @contextmanager
    def serving(worker, limits, hosts=LOOPBACK):
        config = uvicorn.Config(demo_app(worker, limits, hosts), port=0, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Client(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()

    return serving


@pytest.fixture(scope="session")
def face():
    """The example's face, small."""
    photo = Image.fromarray(read_image(verified_path("example-image")))
    return photo.crop((100, 10, 400, 310)).resize((160, 160))


@pytest.fixture(scope="session")
def encoded():
    """A picture as the content of a file."""

    def encode(picture, kind="jpeg", **options):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    return encode
