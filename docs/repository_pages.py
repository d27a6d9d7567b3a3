"""What the site needs of the repository around docs/; mkdocs.yml names it as a hook.

Pages are written for the repository: their links lead to files of it. The site also has the pages
below, which stand outside docs/, and every link is rewritten to where the site has its file.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "pretrained/README.md")
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")  # not of another host


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside docs/."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links that lead to files of the site."""
    here = posixpath.dirname(page.file.src_uri)
    folder = posixpath.dirname(in_repository(page.file.src_uri))

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        return link[1] + posixpath.relpath(in_site(target), here or ".") + link[3]

    return _LINK.sub(rewritten, markdown)


def in_repository(source: str) -> str:
    """Return where the repository has a source file of the site."""
    return source if source in OUTSIDE else f"docs/{source}"


def in_site(path: str) -> str:
    """Return where the site has a file of the repository."""
    return path.removeprefix("docs/")
