"""The comparison as one HTML file that needs no network."""

from collections.abc import Iterable
from html import escape
from importlib import resources

import numpy as np

from qplex_hrl.comparison.figures import (
    SERIES,
    draw_curves,
    draw_differences,
    draw_episodes,
    draw_profiles,
)
from qplex_hrl.comparison.ranking import Ranking, performance_profile
from qplex_hrl.comparison.report import (
    GENERATOR,
    Cells,
    facts_of,
    pair_cells,
    standing_cells,
    title_of,
)
from qplex_hrl.comparison.verdict import METHOD, notes_of, number, verdict_of

__all__ = ["page_of"]

_PROFILE_ROWS = 11

_DIFFERENCES = (
    "A line is a 95 % interval, a dot the mean difference. A filled dot is a difference that is "
    "shown. A hollow one may be chance."
)
_PROFILES = (
    "How many episodes exceed each threshold. A line that is higher everywhere is better in every "
    "kind of episode. Bands are 95 % intervals, threshold by threshold."
)
_LOWER = " Lower values are better here, so the lower line is the better one."
_EPISODES = "Each mark is one episode, which both sides played. On the dotted line both are equal."
_CURVES = (
    "Evaluations during training, on episodes of their own, mean over trainings. Bands are 95 % "
    "intervals. A level line is cameras that do not learn."
)


def page_of(ranking: Ranking, command: str) -> str:
    """Return the page."""
    title = title_of(ranking)
    css = resources.files("qplex_hrl.comparison").joinpath("page.css").read_text(encoding="utf-8")
    body = "\n".join(_sections(ranking, title, command))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="{GENERATOR}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>
{css}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _sections(ranking: Ranking, title: str, command: str) -> Iterable[str]:
    yield f"<h1>{escape(title)}</h1>"
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict_of(ranking))
    yield f'<div class="verdict">{sentences}</div>'
    yield "<h2>Differences</h2>"
    yield _figure(draw_differences(ranking), _DIFFERENCES)
    yield _table(pair_cells(ranking))
    yield "<h2>Contestants</h2>"
    yield _table(standing_cells(ranking))
    yield "<h2>Performance profiles</h2>"
    caption = _PROFILES if ranking.metric.higher_is_better else _PROFILES + _LOWER
    yield _figure(draw_profiles(ranking), caption)
    yield _folded("Profiles as a table", _profile_cells(ranking))
    yield "<h2>Every episode</h2>"
    yield _figure(draw_episodes(ranking), _EPISODES)
    yield _folded("Episodes as a table", _episode_cells(ranking))
    curves = draw_curves(ranking)
    if curves is not None:
        yield "<h2>Learning curves</h2>"
        yield _figure(curves, _CURVES)
        yield _folded("Curves as a table", _curve_cells(ranking))
    yield "<h2>How to read this</h2>"
    lines = [*notes_of(ranking), *METHOD]
    if len(ranking.standings) > SERIES:
        lines.append(f"Plots show the best {SERIES} contestants; tables show all.")
    yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
    yield "<h2>What was played</h2>"
    facts = facts_of(ranking) | {"command": command}
    items = "".join(f"<dt>{word}</dt><dd>{escape(value)}</dd>" for word, value in facts.items())
    yield f'<dl class="facts">{items}</dl>'


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(cells: Cells) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in cells.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in row[1:])
        + "</tr>"
        for row in cells.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(cells.title)}">'
        f"<table><caption>{escape(cells.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _folded(summary: str, cells: Cells) -> str:
    return f"<details><summary>{escape(summary)}</summary>{_table(cells)}</details>"


def _profile_cells(ranking: Ranking) -> Cells:
    values = [standing.table for standing in ranking.standings]
    low, high = min(map(np.min, values)), max(map(np.max, values))
    taus = np.linspace(*((0.0, 1.0) if ranking.metric.is_rate else (low, high)), _PROFILE_ROWS)
    profiles = [performance_profile(standing, taus) for standing in ranking.standings]
    rows = tuple(
        (number(float(tau), ranking.metric), *(f"{profile[k].value:.2f}" for profile in profiles))
        for k, tau in enumerate(taus)
    )
    names = (standing.name for standing in ranking.standings)
    return Cells("Share of episodes above", (ranking.metric.label, *names), rows)


def _episode_cells(ranking: Ranking) -> Cells:
    values = [standing.table.mean(axis=0) for standing in ranking.standings]
    rows = tuple(
        (str(seed), *(f"{column[k]:.3f}" for column in values))
        for k, seed in enumerate(ranking.seeds)
    )
    names = (standing.name for standing in ranking.standings)
    title = f"{ranking.metric.label} in every episode, mean over trainings"
    return Cells(title[0].upper() + title[1:], ("seed", *names), rows)


def _curve_cells(ranking: Ranking) -> Cells:
    curves = [(each.name, each.curve) for each in ranking.standings if each.curve is not None]
    points = [dict(zip(curve.timesteps, curve.points, strict=True)) for _, curve in curves]
    rows = tuple(
        (
            f"{timestep:,}",
            *(number(p[timestep].value, ranking.metric) if timestep in p else "" for p in points),
        )
        for timestep in sorted(set().union(*points))
    )
    title = f"{ranking.metric.label} during training"
    columns = ("frames", *(name for name, _ in curves))
    return Cells(title[0].upper() + title[1:], columns, rows)
