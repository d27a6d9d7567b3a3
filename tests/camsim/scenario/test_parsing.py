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
    with pytest.raises(DocumentError, match="directory"):
        read_mapping(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="UTF-8"):
        read_mapping(tmp_path / "binary.yaml")
