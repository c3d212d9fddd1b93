"""Check that a built site has no broken links and that its pages fetch nothing from other hosts."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

_FETCHED = ["script", "img", "iframe", "source", "video", "audio"]


def check_links(folder):
    """Refuse broken links, images and anchors, and sources on other hosts.

    Args:
        folder: The site; all of its HTML pages are read, including those embedded in frames.

    Raises:
        ValueError: There are no pages, or there are broken links; each is named with its page.
    """
    folder = Path(folder).resolve()
    pages = {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in sorted(folder.rglob("*.html"))}
    if not pages:
        raise ValueError(f"folder: must hold HTML pages, found none in {folder}")
    anchors = {
        path: {tag[key] for key in ("id", "name") for tag in page.find_all(attrs={key: True})}
        for path, page in pages.items()
    }
    broken = set()
    for path, page in pages.items():
        frames = page.find_all("iframe", srcdoc=True)
        for part in [page, *(BeautifulSoup(frame["srcdoc"], "html.parser") for frame in frames)]:
            base = part.find("base", href=True)
            place = path.parent / base["href"] / path.name if base else path
            for link in _links(part):
                if not _leads_somewhere(link, place, folder, anchors):
                    broken.add(f"{path.relative_to(folder)}: {link}")
            for link in filter(_remote, _fetched(part)):
                broken.add(f"{path.relative_to(folder)}: fetches {link}")
    if broken:
        raise ValueError("broken links:\n" + "\n".join(sorted(broken)))


def _links(page):
    found = [(tag, tag[key]) for key in ("href", "src") for tag in page.find_all(attrs={key: True})]
    return [link for tag, link in found if tag.name != "base"]


def _fetched(page):
    links = [tag["src"] for tag in page.find_all(_FETCHED, src=True)]
    return links + [tag["href"] for tag in page.find_all("link", href=True, rel=["stylesheet", "icon"])]


def _remote(link):
    return bool(urlsplit(link).netloc)


def _leads_somewhere(link, path, folder, anchors):
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True  # another site, or data in the link itself
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file() or not target.is_relative_to(folder):
        return False
    anchor = unquote(parts.fragment)
    return not anchor or target not in anchors or anchor in anchors[target]
