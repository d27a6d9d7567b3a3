"""What can be missing on a machine that draws: the extra `viz`, or a display."""

__all__ = ["DisplayError", "MissingExtraError"]


class MissingExtraError(ImportError, ValueError):
    """A library of the extra `viz` is not installed; the text is one line with the remedy."""

    def __init__(self, library: str) -> None:
        """Name the library that could not be imported."""
        super().__init__(f'{library} is not installed; run: pip install "qplex-hrl[viz]"')


class DisplayError(ValueError):
    """No window can be opened; the text is one line."""
