import re
from html.parser import HTMLParser

import pytest
from made_up_evaluations import example, scripted

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.ranking import rank

pytest.importorskip("matplotlib")

from qplex_hrl.comparison.page import page_of


class Headings(HTMLParser):
    """Collects what stands in headings, and every address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag in ("h1", "h2")
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts.append(data)
        self._inside = False


def test_the_page_has_all_parts_and_asks_for_nothing() -> None:
    page = page_of(example(), "qplex-hrl compare 'a b'")
    found = Headings(page)
    assert found.texts == [
        "good <b>, greedy and a=0.5,b=0.5, compared",
        "Differences",
        "Contestants",
        "Performance profiles",
        "Every episode",
        "Learning curves",
        "How to read this",
        "What was played",
    ]
    assert found.addresses == []
    assert "<b>" not in page
    assert page.count("<svg ") == 4
    assert "default-src 'none'" in page
    assert '<meta name="generator" content="qplex-hrl compare">' in page
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_every_plot_has_its_numbers_as_a_table() -> None:
    page = page_of(example(), "command")
    assert page.count("<table>") == 5
    assert page.count('<th scope="row">3,000</th>') == 1  # the last evaluation of the training
    assert page.count("<caption>") == 5


def test_a_lower_metric_says_so_and_many_contestants_too() -> None:
    many = [scripted(f"rule{n}", [0.1 + n / 10, 0.2 + n / 10]) for n in range(7)]
    page = page_of(rank(many, metric_named("transport_rate")), "command")
    assert "Lower values are better here" in page
    assert "Plots show the best 6 contestants" in page
    assert "Learning curves" not in page
