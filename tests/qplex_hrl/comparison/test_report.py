import io
import json

from made_up_evaluations import evaluation, example, scripted
from rich.console import Console

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.ranking import Ranking, rank
from qplex_hrl.comparison.report import (
    facts_of,
    json_of,
    markdown_of,
    pair_cells,
    rich_of,
    standing_cells,
    title_of,
)


def test_cells_have_a_row_for_each() -> None:
    ranking = example()
    standings, pairs = standing_cells(ranking), pair_cells(ranking)
    assert [row[:3] for row in standings.rows] == [
        ("good <b>", "own", "2"),
        ("greedy", "own", "none"),
        ("a=0.5,b=0.5", "shared", "none"),
    ]
    assert pairs.rows[0][0] == "good <b> - greedy"
    assert all(row[-1] == "yes" for row in pairs.rows)
    assert pairs.rows[-1][2] == "32/0/0"


def test_tables_fit_into_a_hundred_columns() -> None:
    output = io.StringIO()
    console = Console(width=100, file=output)
    for table in rich_of(example()):
        console.print(table)
    assert max(map(len, output.getvalue().splitlines())) <= 100
    assert "32/0/0" in output.getvalue()


def test_names_on_a_terminal_are_no_markup() -> None:
    pair = [scripted("[red]a[/red]", [0.5, 0.6, 0.7]), scripted("[/]b", [0.4, 0.5, 0.5])]
    output = io.StringIO()
    for table in rich_of(rank(pair, metric_named("coverage_rate"))):
        Console(width=100, file=output).print(table)
    assert "[red]a[/red]" in output.getvalue()
    assert "[/]b" in output.getvalue()


def test_markdown_has_verdict_tables_and_command() -> None:
    text = markdown_of(example(), "qplex-hrl compare a b")
    assert text.startswith("<!-- qplex-hrl compare -->\n\n# good &lt;b&gt;, greedy and a=0.5")
    assert "covers" in text
    assert "| greedy | own | none |" in text
    assert text.endswith("    qplex-hrl compare a b\n")


def test_the_object_has_every_episode_and_every_pair() -> None:
    ranking = example()
    content = json.loads(json.dumps(json_of(ranking, "command"), allow_nan=False))
    assert (content["format"], content["format_version"]) == ("qplex-hrl comparison", 1)
    assert content["counted_seeds"] == list(range(32))
    assert content["metric"]["name"] == "coverage_rate"
    best, greedy, _ = content["contestants"]
    assert [len(each["episodes"]) for each in best["evaluations"]] == [32, 32]
    assert best["checkpoints"] == ["run0.pth", "run1.pth"]
    assert [point["timestep"] for point in best["learning_curve"]] == [1000, 2000, 3000]
    assert greedy["learning_curve"] is None
    assert len(best["performance_profile"]) == len(content["taus"]) == 101
    assert len(content["pairs"]) == 3
    pair = content["pairs"][0]
    low, high = pair["difference"]["ci95"]
    assert low < pair["difference"]["value"] < high
    wide = pair["unpaired_difference"]["ci95"]
    assert wide[1] - wide[0] > high - low


def test_facts_say_what_was_played() -> None:
    facts = facts_of(example())
    assert facts["scenario"] == "MATE-4v4-9"
    assert facts["episodes"] == "32"
    assert facts["frames at most"] == "as the scenario says"
    assert title_of(example()).endswith("and a=0.5,b=0.5, compared")


def named(*names: str) -> Ranking:
    values = [0.1, 0.2, 0.3]
    return rank([scripted(name, values) for name in names], metric_named("coverage_rate"))


def test_names_are_no_markup_on_a_terminal() -> None:
    output = io.StringIO()
    console = Console(width=100, file=output)
    for table in rich_of(named("x[/y]", "[bold]z")):
        console.print(table)
    assert "x[/y]" in output.getvalue()
    assert "[bold]z" in output.getvalue()


def test_names_are_no_markup_in_markdown() -> None:
    text = markdown_of(named("<script>x", "a|b*c_d_", "$e$"), "command")
    assert "<script" not in text
    assert "| &lt;script&gt;x |" in text
    assert "| a\\|b\\*c_d\\_ |" in text
    assert "\\$e\\$" in text


def test_equal_runs_have_equal_objects() -> None:
    def played(seconds: float) -> Ranking:
        pair = [scripted(name, [0.1, 0.2], wall_time_seconds=seconds) for name in "ab"]
        return rank(pair, metric_named("coverage_rate"))

    assert "wall_time_seconds" in evaluation([0.1], wall_time_seconds=1.0)["provenance"]
    assert json_of(played(1.0), "command") == json_of(played(2.0), "command")
