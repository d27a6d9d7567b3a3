from camsim.errors import OneLineError, one_line


def test_texts_become_one_short_line() -> None:
    assert str(OneLineError("a\n  b\tc")) == "a b c"
    assert str(OneLineError("x" * 10**6)) == "x" * 497 + "..."
    assert one_line(3) == "3"
