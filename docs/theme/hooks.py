"""What is made when the site is built: the example's head, and the page that makes heads."""

import shutil
from pathlib import Path
from typing import Any

PAGE = "example.html"
BUILT = Path(__file__).resolve().parents[2] / "web" / "face" / "dist"
FOLDER = "try"
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>mlanet</title>
<p>This copy of the site was built without this page: <code>python assets/browser/build.py</code>
makes it, <code>mkdocs build</code> then takes it along.</p>
"""


def on_post_build(config: Any) -> None:
    """Add both to the site."""
    site = Path(config["site_dir"])
    _add_example(site / PAGE)
    _add_browser_page(site / FOLDER)


def _add_browser_page(folder: Path) -> None:
    """The page that makes heads in the browser, if it has been built."""
    if BUILT.is_dir():
        shutil.copytree(BUILT, folder, dirs_exist_ok=True)
        return
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(NOT_BUILT, encoding="utf-8")


def _add_example(page: Path) -> None:
    """The page of the photo that ships; one that is there already stays."""
    if page.exists():
        return
    from mlanet import Reconstructor
    from mlanet.assets import verified_path
    from mlanet.viewing import write_view

    write_view(Reconstructor.load()(verified_path("example-image")), page, "Example")
