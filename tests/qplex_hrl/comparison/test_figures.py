"""Plots are well-formed SVG, speak, and take their colours from the page."""

import re
from collections.abc import Callable
from html import escape
from xml.etree import ElementTree

import pytest
from made_up_evaluations import evaluation, example, scripted, trained

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.ranking import Ranking, rank

pytest.importorskip("matplotlib")

from qplex_hrl.comparison.figures import (
    draw_curves,
    draw_differences,
    draw_episodes,
    draw_profiles,
)


def curves(ranking: Ranking) -> str:
    drawn = draw_curves(ranking)
    assert drawn is not None
    return drawn


@pytest.mark.parametrize("draw", [draw_differences, draw_profiles, draw_episodes, curves])
def test_figures(draw: Callable[[Ranking], str]) -> None:
    svg = draw(example())
    # HTML needs no namespaces; XML does
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    root = ElementTree.fromstring(svg.replace("<svg ", f"<svg {names} ", 1))
    assert root.get("role") == "img"
    texts = "".join(root.itertext())
    assert "greedy" in texts
    identifiers = re.findall(r'\bid="([^"]+)"', svg)
    assert len(identifiers) == len(set(identifiers))
    assert all(name in identifiers for name in str(root.get("aria-labelledby")).split())
    references = re.findall(r'(?:url\(|href=")#([^")]+)', svg)
    assert set(references) <= set(identifiers)
    assert "currentColor" in svg
    assert "var(--series-" in svg
    assert "#0102" not in svg
    assert "#a000" not in svg
    assert draw(example()) == svg


def test_without_trainings_there_are_no_curves() -> None:
    pair = [scripted("a", [0.1, 0.2]), scripted("b", [0.2, 0.3])]
    assert draw_curves(rank(pair, metric_named("coverage_rate"))) is None


def test_many_contestants_are_drawn_as_far_as_colours_go() -> None:
    many = [scripted(f"rule{n}", [0.1 + n / 10, 0.2 + n / 10]) for n in range(7)]
    svg = draw_profiles(rank(many, metric_named("coverage_rate")))
    assert "rule1" in svg
    assert "rule0" not in svg


@pytest.mark.parametrize("draw", [draw_differences, draw_profiles, draw_episodes, draw_curves])
def test_names_are_drawn_as_they_are(draw: Callable[[Ranking], str | None]) -> None:
    """No formula, no markup, and no label that a legend leaves out."""
    names = [r"x$\frac$", "_hidden", "<script>"]
    history = [[evaluation([0.1, 0.2], 10), evaluation([0.2, 0.3], 20)]]
    first, *others = names
    played = [
        trained(first, [0.3, 0.4], history),
        *(scripted(each, [0.1 + n / 10, 0.2 + n / 20]) for n, each in enumerate(others)),
    ]
    svg = draw(rank(played, metric_named("coverage_rate")))
    assert svg is not None
    drawn = svg.split("</desc>")[1]  # not only in the words beside it
    for each in names:
        assert escape(each) in drawn or (draw is draw_episodes and each == first)
    assert "<script>" not in svg
