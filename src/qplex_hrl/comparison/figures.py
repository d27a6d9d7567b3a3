"""Plots of a comparison as SVG that takes its colours and font from the page around it."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from qplex_hrl.comparison.ranking import Ranking, Standing, performance_profile, taus_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["SERIES", "draw_curves", "draw_differences", "draw_episodes", "draw_profiles"]

SERIES = 6
"""Contestants with colours of their own; the page names these --series-1 and so on."""

_INK = "#010203"  # stands for the page's text colour
_SERIES = tuple(f"#a0000{n}" for n in range(1, SERIES + 1))  # stand for the page's series
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
_WIDTH = 5.2  # inches: as wide as a phone, so that letters stay readable there
_STYLE = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "font.size": 10.0,
    "grid.alpha": 0.2,
    "grid.color": _INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "qplex-hrl",
    "text.parse_math": False,  # names may have dollar signs
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def draw_differences(ranking: Ranking) -> str:
    """Return a forest plot: the difference of every two, with its interval."""
    pairs = ranking.pairs[::-1]

    def draw(axes: "Axes") -> None:
        axes.axvline(0.0, color=_INK, linewidth=1.0, linestyle=":")
        for row, pair in enumerate(pairs):
            value, low, high, _ = pair.difference
            color = _SERIES[0] if pair.is_shown else _INK
            axes.plot([low, high], [row, row], color=color, linewidth=2.0)
            face = color if pair.is_shown else "none"
            axes.plot([value], [row], "o", color=color, markerfacecolor=face)
        labels = [_shortened(f"{pair.better} - {pair.worse}") for pair in pairs]
        axes.set_yticks(range(len(pairs)), labels)
        axes.set(ylim=(-0.7, len(pairs) - 0.3), xlabel=f"difference of {ranking.metric.label}")
        axes.grid(axis="x")

    said = "; ".join(
        f"{pair.better} minus {pair.worse}: {pair.difference.value:.3g}, "
        f"{pair.difference.low:.3g} to {pair.difference.high:.3g}"
        for pair in ranking.pairs
    )
    return _svg("differences", "Differences", said, draw, 1.1 + 0.35 * len(pairs))


def draw_profiles(ranking: Ranking) -> str:
    """Return the performance profiles: the share of episodes above each threshold."""
    taus = taus_of(ranking)

    def draw(axes: "Axes") -> None:
        drawn: list[tuple[str, Artist]] = []
        for n, standing in _numbered(ranking):
            value, low, high = np.transpose(performance_profile(standing, taus))
            axes.fill_between(taus, low, high, color=_SERIES[n], alpha=0.2, linewidth=0.0)
            [line] = axes.plot(taus, value, color=_SERIES[n], linestyle=_LINES[n])
            drawn.append((standing.name, line))
        axes.set(
            xlabel=f"{ranking.metric.label} above", ylabel="share of episodes", ylim=(-0.02, 1.02)
        )
        _finish(axes, drawn)

    return _svg(
        "profiles",
        "Performance profiles",
        "Share of episodes above each threshold; the numbers stand in the table below.",
        draw,
    )


def draw_episodes(ranking: Ranking) -> str:
    """Return a plot of every episode: the others over the best, on the same episode."""
    best = ranking.standings[0]
    on_best = best.table.mean(axis=0)
    others = ranking.standings[1].name if len(ranking.standings) == 2 else "the others"

    def draw(axes: "Axes") -> None:
        values = [standing.table.mean(axis=0) for standing in ranking.standings]
        ends = [np.min(values), np.max(values)]
        axes.plot(ends, ends, color=_INK, linewidth=1.0, linestyle=":")
        drawn: list[tuple[str, Artist]] = []
        for n, standing in _numbered(ranking):
            if n:
                [marks] = axes.plot(
                    on_best,
                    standing.table.mean(axis=0),
                    _MARKERS[n],
                    color=_SERIES[n],
                    markersize=4.5,
                    alpha=0.7,
                )
                drawn.append((standing.name, marks))
        axes.set(
            xlabel=f"{ranking.metric.label} of {_shortened(best.name)}",
            ylabel=f"{ranking.metric.label} of {_shortened(others)}",
        )
        _finish(axes, drawn)

    return _svg(
        "episodes",
        "Every episode",
        f"Each mark is one episode: {best.name} to the right, another contestant upwards. Below "
        "the dotted line the value is smaller. The numbers stand in the table below.",
        draw,
    )


def draw_curves(ranking: Ranking) -> str | None:
    """Return the learning curves; None if no contestant has one."""
    if all(standing.curve is None for standing in ranking.standings):
        return None

    def draw(axes: "Axes") -> None:
        drawn: list[tuple[str, Artist]] = []
        for n, standing in _numbered(ranking):
            if standing.curve is None:
                if standing.played.contestant.rule is not None:
                    value = standing.mean.value
                    level = axes.axhline(value, color=_SERIES[n], linestyle=_LINES[n])
                    drawn.append((standing.name, level))
                continue
            value, low, high = np.transpose(standing.curve.points)
            steps = standing.curve.timesteps
            axes.fill_between(steps, low, high, color=_SERIES[n], alpha=0.2, linewidth=0.0)
            [line] = axes.plot(
                steps,
                value,
                color=_SERIES[n],
                linestyle=_LINES[n],
                marker=_MARKERS[n],
                markersize=3.0,
            )
            drawn.append((standing.name, line))
        axes.set(xlabel="frames of training", ylabel=ranking.metric.label)
        axes.ticklabel_format(axis="x", style="sci", scilimits=(3, 3))
        _finish(axes, drawn)

    said = "; ".join(
        f"{standing.name}: {standing.curve.points[0].value:.3f} at first, "
        f"{standing.curve.points[-1].value:.3f} at the last evaluation"
        for standing in ranking.standings
        if standing.curve is not None
    )
    return _svg("curves", "Learning curves", said, draw)


def _numbered(ranking: Ranking) -> Iterator[tuple[int, Standing]]:
    """Yield the first contestants, as many as have colours."""
    yield from enumerate(ranking.standings[:SERIES])


def _finish(axes: "Axes", drawn: Sequence[tuple[str, "Artist"]]) -> None:
    """Add a grid, and a legend of what was drawn."""
    axes.grid()
    # A label that begins with "_" would be left out, so the names replace others.
    handles = [handle for _, handle in drawn]
    legend = axes.legend(handles, ["name"] * len(drawn), fontsize=9)
    for text, (name, _) in zip(legend.get_texts(), drawn, strict=True):
        text.set_text(_shortened(name))


def _shortened(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:31]}…"


def _svg(
    name: str, title: str, said: str, draw: Callable[["Axes"], None], height: float = 3.6
) -> str:
    """Return a figure as an SVG element for a page.

    Args:
        name: begins every identifier in it, so that figures of a page do not mix theirs up.
        title: what it shows.
        said: the same in words, for those who do not see it.
        draw: draws into the axes.
        height: inches.
    """
    with _styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    view_box = re.search(r'viewBox="[^"]*"', text)
    assert view_box is not None
    body = text[text.index(">") + 1 :]
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", body)
    body = body.replace(_INK, "currentColor")
    for n, color in enumerate(_SERIES, start=1):
        body = body.replace(color, f"var(--series-{n})")
    about = f'<title id="{name}-title">{escape(title)}</title>'
    about += f'<desc id="{name}-desc">{escape(said)}</desc>'
    labels = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    return f"<svg {view_box[0]} {labels}>{about}{body}"


@contextmanager
def _styled() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]  # names of settings are literals there
        yield
