"""Errors that are told in one line, whatever they quote."""

__all__ = ["OneLineError", "one_line"]

_LONGEST = 500


def one_line(text: object) -> str:
    """Return a text without line breaks, cut after 500 characters."""
    joined = " ".join(str(text)[: 4 * _LONGEST].split())
    return joined if len(joined) <= _LONGEST else f"{joined[: _LONGEST - 3]}..."


class OneLineError(ValueError):
    """Something that cannot be used; the text is one line of at most 500 characters."""

    def __init__(self, text: object) -> None:
        """Keep the text, without its line breaks."""
        super().__init__(one_line(text))
