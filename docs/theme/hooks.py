"""What is made when the site is built: the example's head, to turn on the first page."""

from pathlib import Path
from typing import Any

PAGE = "example.html"


def on_post_build(config: Any) -> None:
    """Write the page of the photo that ships; one that is there already stays."""
    page = Path(config["site_dir"]) / PAGE
    if page.exists():
        return
    from mlanet import Reconstructor
    from mlanet.assets import verified_path
    from mlanet.viewing import write_view

    write_view(Reconstructor.load()(verified_path("example-image")), page, "Example")
