import numpy as np
import pytest
from made_up_evaluations import example, scripted, trained

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.ranking import PlayedContestant, rank
from qplex_hrl.comparison.verdict import notes_of, number, verdict_of

BASE = np.random.default_rng(0).uniform(0.5, 0.8, 64)
COVERAGE = metric_named("coverage_rate")


def said(*played: PlayedContestant, metric: str = "coverage_rate") -> list[str]:
    return verdict_of(rank(played, metric_named(metric)))


def test_a_difference_that_is_shown() -> None:
    gains = np.where(np.arange(64) < 49, 0.04, -0.04)
    [sentence] = said(scripted("B", BASE), scripted("A", BASE + gains))
    start = "A covers 0.021 more than B, 95 % 0.012 to 0.029; on 49 of 64 episodes."
    assert sentence[:32] == start[:32]
    assert sentence.endswith("; on 49 of 64 episodes.")


def test_no_difference() -> None:
    assert said(scripted("A", BASE), scripted("A (2)", BASE)) == [
        "No difference: all 64 episodes of A and A (2) are equal."
    ]
    other = np.random.default_rng(1).permutation(BASE)
    [sentence] = said(scripted("A", BASE), scripted("B", other))
    assert sentence.startswith("No difference shown: A covers 0.000 more than B, 95 % -0.0")
    few = BASE.copy()
    few[:3] += 0.2
    [sentence] = said(scripted("A", few), scripted("B", BASE))
    assert sentence.startswith("No difference shown: A covers 0.009 more")
    assert sentence.endswith("on 3 of 64 episodes; only 3 episodes differ.")


def test_other_metrics_are_named() -> None:
    [sentence] = said(scripted("A", BASE), scripted("B", BASE - 0.1), metric="transport_rate")
    assert sentence == (
        "A has a transport rate 0.100 lower than B, 95 % 0.100 to 0.100; on 64 of 64 episodes."
    )


def test_more_than_two_are_ranked_step_by_step() -> None:
    first, *steps = verdict_of(example())
    assert first.startswith("By coverage, best first: good <b> 0.")
    assert [step.split(" covers")[0] for step in steps] == ["good <b>", "greedy"]


def test_notes_say_what_limits_the_verdict() -> None:
    assert notes_of(rank([scripted("A", BASE), scripted("B", BASE)], COVERAGE)) == []
    notes = notes_of(example())
    assert any(note.startswith("3 pairs are compared.") for note in notes)
    assert "Views differ: good <b> own, greedy own, a=0.5,b=0.5 shared." in notes
    assert not any("One training" in note for note in notes)
    [note] = notes_of(rank([trained("A", BASE), scripted("B", BASE)], COVERAGE))
    assert note.startswith("One training: A.")


@pytest.mark.parametrize(("value", "text"), [(0.1234, "0.123"), (-0.0001, "0.000")])
def test_numbers(value: float, text: str) -> None:
    assert number(value, COVERAGE) == text
    assert number(1234.56, metric_named("camera_return")) == "1234.6"


def test_the_verdict_never_contradicts_its_numbers() -> None:
    """Each pair's better one has the higher mean on the episodes that count."""
    first, second = BASE + 0.05, BASE.copy()
    first[:30], second[:30] = 0.0, np.nan
    ranking = rank([scripted("A", first), scripted("B", second)], COVERAGE)
    [sentence] = verdict_of(ranking)
    assert sentence.startswith("A covers 0.050 more than B, 95 % 0.050 to 0.050; on 34 of 34")
    assert notes_of(ranking) == [
        "30 of 64 episodes are left out: there is no coverage in them for all."
    ]


def test_a_note_says_which_curves_are_left_out() -> None:
    cut = trained("A", [BASE, BASE])._replace(n_left_out=3)
    [note] = notes_of(rank([cut, scripted("B", BASE)], COVERAGE))
    assert note.startswith("Evaluations during training that are left out: 3 of A.")
