"""The site of the pages: it builds without a warning, fetches nothing, its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from docs_scripts import docs_script
from mkdocs.commands.build import build
from mkdocs.config import load_config
from paths import DOCS, ROOT

LOADS = {
    ("img", "src"),
    ("script", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
}
"""Tags and attributes whose address a browser fetches when it opens a page."""

FETCHED_LINKS = {"stylesheet", "icon", "preconnect", "preload", "prefetch", "dns-prefetch"}


class Reader(HTMLParser):
    """Collects what a page fetches, its links and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        self.classes |= set(found.get("class", "").split())
        self.fetched += [found[name] for kind, name in LOADS if kind == tag and name in found]
        if tag == "link" and FETCHED_LINKS & set(found.get("rel", "").split()):
            self.fetched.append(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A warning is an error (`strict`)."""
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    config.plugins.on_shutdown()
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Reader]:
    found = {page.resolve(): Reader(page) for page in site.rglob("*.html")}
    assert len(found) > 40
    return found


pytestmark = pytest.mark.slow


def test_a_page_fetches_nothing_from_another_host(pages: dict[Path, Reader], site: Path) -> None:
    for page, reader in pages.items():
        assert not [a for a in reader.fetched if re.match(r"(\w+:)?//", a)], page.name
        assert "mermaid" not in reader.classes, page.name  # Material would fetch its script
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), style.name


def test_what_a_page_fetches_is_there(pages: dict[Path, Reader]) -> None:
    for page, reader in pages.items():
        if page.name != "404.html":  # its addresses are those of a server
            for address in reader.fetched:
                assert (page.parent / unquote(address.partition("?")[0])).is_file(), address


def test_links_lead_somewhere(pages: dict[Path, Reader]) -> None:
    for page, reader in pages.items():
        if page.name == "404.html":
            continue
        for target, anchor in local(reader.links):
            file = (page.parent / target).resolve() if target else page
            assert file.exists(), (page.name, target)
            if anchor and file in pages:
                assert anchor in pages[file].anchors, (page.name, target, anchor)


def local(links: list[str]) -> Iterator[tuple[str, str]]:
    for link in links:
        if not re.match(r"\w+:", link):
            target, _, anchor = unquote(link).partition("#")
            yield target, anchor


def test_public_names_are_on_the_pages_of_the_api(pages: dict[Path, Reader], site: Path) -> None:
    for package in ("camsim", "camcontrol", "qplex_hrl"):
        module = __import__(package)
        anchors = pages[(site / "api" / f"{package}.html").resolve()].anchors
        assert {f"{package}.{name}" for name in module.__all__} <= anchors


def test_tables_of_results_are_up_to_date() -> None:
    tables = docs_script("results_tables")
    names = []
    for page in tables.PAGES:
        text = page.read_text(encoding="utf-8")
        assert tables.updated(text) == text, "run `python docs/results_tables.py`"
        names += re.findall(r"<!-- table (\w+) -->", text)
    assert sorted(names) == sorted(tables.TABLES)


def test_pictures_are_small_and_come_from_their_script(tmp_path: Path) -> None:
    pictures = docs_script("pictures")
    for name in pictures.PICTURES:
        assert 0 < (pictures.IMAGES / f"{name}.svg").stat().st_size < 150_000
    drawn = pictures.save("foresight", tmp_path)
    assert drawn.read_text(encoding="utf-8").startswith("<?xml")


def test_remedies_name_the_tests_that_show_them() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    tests = (ROOT / "tests" / "learning" / "test_remedies.py").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 8
    assert all(f"def {name}(" in tests for name in named)


def test_the_quick_start_begins_as_the_readme_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (DOCS / "quick-start.md").read_text(encoding="utf-8")
    first = re.search(r"^```bash\n(make train)\b", readme, re.MULTILINE)
    assert first is not None
    assert re.search(r"^```bash\n(.*)\n", page, re.MULTILINE)[1] == first[1]  # type: ignore[index]
    assert "(docs/quick-start.md)" in readme
