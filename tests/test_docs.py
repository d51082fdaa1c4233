"""The manual and the program say the same: quoted errors, names of buttons and fields, pictures and links."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
MANUAL = [page for page in PAGES if page.name not in ("architecture.md", "pipeline.md")]
PICTURE_LIMIT = 400_000  # bytes
ANY = "…"  # stands for a value, in a quotation as in the strings below

# What is Blender's own and stands in bold because it is pressed or chosen all the same.
BLENDERS_OWN = {"Resolution %"}


def spoken() -> set[str]:
    """Every string of the package, with … for each value that is put into it."""
    found = set()
    for path in sorted((ROOT / "diffsynth_blender").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(part.value if isinstance(part, ast.Constant) else ANY for part in node.values))
    return found


STRINGS = spoken()


def quotations() -> list[str]:
    """The errors that the page of troubles quotes: its block quotes."""
    lines = (DOCS / "troubleshooting.md").read_text().splitlines()
    return [line.removeprefix("> ") for line in lines if line.startswith("> ")]


def pieces(text: str) -> list[str]:
    """What a sentence says for certain: the parts between its values, without the marks around values."""
    return [piece.strip(" '\"") for piece in text.split(ANY) if piece.strip(" '\".:,;()")]


def says(string: str, wanted: list[str]) -> bool:
    """Whether a string has these pieces in this order."""
    at = 0
    for piece in wanted:
        at = string.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


@pytest.mark.parametrize("quotation", quotations())
def test_a_quoted_error_is_one_that_the_program_says(quotation):
    """Find each quoted sentence among the strings of the source, values left out."""
    wanted = pieces(quotation)
    assert wanted, quotation
    assert any(says(string, wanted) for string in STRINGS), f"nothing in the source says: {quotation}"


def test_a_sentence_that_nobody_says_is_noticed():
    """Refuse a quotation whose words are there in another order, or not at all."""
    assert not any(says(string, pieces("Scene … has no camera: buy one")) for string in STRINGS)
    assert not says("b … a", pieces("a … b"))


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: page.name)
def test_bold_names_are_on_buttons_and_fields(page):
    """Find every bold name of the manual among the labels of the interface."""
    bold = set(re.findall(r"\*\*([^*]+)\*\*", page.read_text().replace("\n", " ")))
    names = {name for name in bold if len(name) <= 40 and not name.startswith(("Begin", "The ", "A "))} - BLENDERS_OWN
    assert not sorted(name for name in names if name not in STRINGS)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    """Follow every link to a file of the repository, and to a heading in it."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page
        assert path.exists(), f"{page.name} links {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links {target}"


def test_the_manual_has_every_page_in_its_contents():
    """Reach every page from the first one."""
    linked = set(re.findall(r"\(([\w-]+\.md)", (DOCS / "index.md").read_text()))
    assert {page.name for page in PAGES} - {"index.md"} <= linked


def test_pictures_are_small():
    """Keep every picture of the manual quick to load."""
    sizes = {path.name: path.stat().st_size for path in DOCS.iterdir() if path.suffix in (".png", ".jpg")}
    assert sizes
    assert not {name: size for name, size in sizes.items() if size > PICTURE_LIMIT}
