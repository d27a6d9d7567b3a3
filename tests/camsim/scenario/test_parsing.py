import os
from pathlib import Path

import pytest

from camsim.scenario.parsing import DocumentError, parse_yaml, read_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("7E+2", 700.0), (".5e1", 5.0), ("-1e5", -1e5), ("e5", "e5"), ("1e", "1e")],
)
def test_numbers_with_exponents(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "a: [1,\nb: 2", "a.yaml: YAML syntax error: line 2"),
        ("a.yaml", "a: 1\na: 2", "line 2, column 1: key 'a' appears twice"),
        ("a.yaml", "- 1", "expected a mapping"),
        ("a.yaml", "1: 2", "expected a mapping"),
        ("a.yaml", "", "expected a mapping"),
        ("a.yaml", "a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a.yaml", "a: \x07", "YAML syntax error"),
        ("a.yaml", "a: 2020-13-45", "YAML syntax error"),
        ("a.json", '{"a": 1,}', "a.json: JSON syntax error: line 1"),
    ],
)
def test_malformed_files(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DocumentError) as caught:
        read_mapping(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [("a.json", '{"b": 1}'), ("a.yaml", "b: 1")])
def test_a_byte_order_mark_is_no_content(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read_mapping(tmp_path / name) == {"b": 1}


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: no such file"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(DocumentError, match="a folder; expected a file"):
        read_mapping(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="UTF-8"):
        read_mapping(tmp_path / "binary.yaml")


def bomb(depth: int) -> str:
    """Return a YAML document of few bytes that stands for 9 ** depth values."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(9), "more than 50000 values"),
        ("a: &a [*a]", "contains itself"),
        ("[1, 2]: 3", "expected keys that are text"),
        ("{{a: 1}: 2}: 3", "expected keys that are text"),
        ("a: !!float ''", "YAML syntax error"),
        ("a: !!bool x", "YAML syntax error"),
        ("a: !!timestamp x", "YAML syntax error"),
        ("a: " + "1" * 10_000, "YAML syntax error"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: 2001-99-99", "YAML syntax error"),
    ],
)
def test_hostile_documents_are_refused(text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        parse_yaml(text)


def test_anchors_of_a_usual_size_work() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: *a\nc: {<<: {d: 3}}") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": {"d": 3},
    }


def test_only_small_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "long.yaml").write_text("a: 1 #" + "x" * 2**20)
    (tmp_path / "nan.json").write_text('{"a": NaN}')
    (tmp_path / "digits.json").write_text('{"a": ' + "1" * 10_000 + "}")
    for name, words in (
        ("pipe.yaml", "a device or a pipe"),
        ("/dev/zero", "a device or a pipe"),
        ("long.yaml", "more than 1 MiB"),
        ("nan.json", "NaN is no number"),
        ("digits.json", "JSON syntax error"),
    ):
        with pytest.raises(DocumentError, match=words):
            read_mapping(tmp_path / name)
