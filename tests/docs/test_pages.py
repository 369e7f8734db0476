"""The documentation's links, tables and lists."""

import json
import re
from pathlib import Path

import pytest

from mlanet.cli import verbs
from mlanet.morphable import load_model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md")})
PLACES = ("src", "assets", "benchmarks", "examples", "tests")
LONGEST_ROW = 200
NEWEST_PAGES = [
    page for page in PAGES if "records" not in page.parts and "results" not in page.parts
]


def text_of(page):
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = page.parent / file if file else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page):
    """Anchors of a page's headings, as MkDocs and GitHub make them."""
    titles = re.findall(r"^#+ (.*)$", text_of(page), flags=re.M)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()).strip() for title in titles)
    return {re.sub(r"[\s-]+", "-", title) for title in plain}


@pytest.mark.parametrize("folder", PLACES)
def test_pages_that_files_name_exist(folder):
    for file in (ROOT / folder).rglob("*"):
        if file.suffix in (".py", ".json"):
            for page in re.findall(r"docs/[\w/-]+\.md", text_of(file)):
                assert (ROOT / page).is_file(), f"{file.relative_to(ROOT)}: {page}"


@pytest.mark.parametrize("page", NEWEST_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_table_rows_are_short(page):
    rows = [line for line in text_of(page).splitlines() if line.startswith("|")]
    assert [row for row in rows if len(row) > LONGEST_ROW] == []


def test_every_page_is_in_the_navigation():
    navigation = text_of(ROOT / "mkdocs.yml")
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    listed = set(re.findall(r"[\w/.-]+\.md", navigation.partition("nav:")[2]))
    assert {page for page in pages if not page.startswith("results/")} == listed


def test_every_verb_is_in_the_reference():
    table = text_of(DOCS / "reference" / "command-line.md")
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    for verb in verbs():
        group, _, name = verb.rpartition(" ")
        assert any(f"`{group}" in row and name in row for row in rows), verb


def test_every_expression_is_in_the_reference():
    table = text_of(DOCS / "reference" / "expressions.md")
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.M) == [*load_model().expression_names]


def test_the_notebook_is_its_page():
    notebook = json.loads(text_of(ROOT / "examples" / "03_notebook.ipynb"))
    page = text_of(DOCS / "start" / "notebook.md")
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code == [block.strip() for block in re.findall(r"```python\n(.*?)```", page, flags=re.S)]


def test_recorded_configurations_are_read(torch):
    from mlanet.training import TrainingConfig

    files = sorted((DOCS / "records" / "trainings").glob("*.json"))
    assert len(files) > 12
    assert all(TrainingConfig.read(file).num_labelled > 0 for file in files)
