"""The site's check of links finds what is broken, and its sources name what exists."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"

pytest.importorskip("bs4")


@pytest.fixture
def check(monkeypatch):
    monkeypatch.syspath_prepend(str(SITE))
    monkeypatch.delitem(sys.modules, "links", raising=False)
    import links

    yield links.check_links
    sys.modules.pop("links")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a picture.png").write_bytes(b"")
    (tmp_path / "deep/other.html").write_text('<h1 id="Größe">x</h1><a href="../index.html#here">back</a>')
    return tmp_path


def write(folder, body):
    (folder / "index.html").write_text(f'<p id="here">{body}')


@pytest.mark.parametrize(
    "body",
    [
        '<a href="deep/other.html">',
        '<a href="deep/other.html#Gr%C3%B6%C3%9Fe">',
        '<a href="#here">',
        '<a href="">',
        '<img src="a%20picture.png">',
        '<img src="data:image/png;base64,AAAA">',
        '<a href="https://example.org/x">',
        '<a href="mailto:someone@example.org">',
        "<iframe srcdoc=\"<a href='deep/other.html'>\"></iframe>",
    ],
)
def test_links_that_lead_somewhere_pass(check, folder, body):
    write(folder, body)
    check(folder)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<a href="missing.html">', "index.html: missing.html"),
        ('<a href="deep/other.html#there">', "index.html: deep/other.html#there"),
        ('<a href="#there">', "index.html: #there"),
        ('<a href="deep">', "index.html: deep"),
        ('<a href="../outside.html">', "index.html: ../outside.html"),
        ('<img src="missing.png">', "index.html: missing.png"),
        ("<iframe srcdoc=\"<a href='missing.html'>\"></iframe>", "index.html: missing.html"),
        ('<script src="https://example.org/x.js"></script>', "fetches https://example.org/x.js"),
        ('<img src="//example.org/x.png">', "fetches //example.org/x.png"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "fetches https://example.org/x.css"),
    ],
)
def test_links_that_lead_nowhere_are_named(check, folder, body, told):
    (folder.parent / "outside.html").write_text("")
    write(folder, body)
    with pytest.raises(ValueError, match=re.escape(told)):
        check(folder)


def test_a_folder_without_pages_is_refused(check, tmp_path):
    with pytest.raises(ValueError, match="folder: must hold HTML pages"):
        check(tmp_path)


def test_every_package_and_page_that_the_sources_name_exists():
    modules = re.findall(r"automodule:: (\S+)", (SITE / "reference.md").read_text())
    pages = re.findall(r"(?m)^([\w/]+)$", (SITE / "contents.txt").read_text())
    assert modules and pages
    for module in modules:
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), module
    for page in pages:
        assert (ROOT / f"{page}.md").is_file(), page
    assert {f"site/{path.stem}" for path in SITE.glob("*.md")} <= set(pages)


def test_a_framed_page_opens_its_links_in_the_window(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(SITE))
    pages = pytest.importorskip("pages")
    framed = pages.framed('<!doctype html><style></style><a href="../notebooks/00_humans.ipynb">')
    assert 'target="_top"' in framed
    assert "00_humans.html" in framed and ".ipynb" not in framed
