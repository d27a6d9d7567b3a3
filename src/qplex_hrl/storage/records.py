"""Reads the archives that `torch.save` writes, without unpickling: nothing in a file is executed.

Such an archive has one member that tells a tree of containers and one member of bytes per tensor.
The tree is a pickle stream, which this reader goes through as data. It knows the few operations
that our own trees are made of and refuses every other one. A tensor's sizes are compared with the
bytes that are there: PyTorch's reader trusts them.
"""

import math
import pickletools
import sys
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from camsim.archives import ArchiveError

__all__ = ["read_tree"]

_TREE = "data.pkl"
_LONGEST_TREE = 2**25  # bytes: that of a checkpoint of 64 worlds has a hundred thousand
_DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}
_REBUILD = "torch._utils _rebuild_tensor_v2"
_HOOKS = "collections OrderedDict"


class _Name(str):
    """The name of a class or function of Python; it is never looked up."""

    __slots__ = ()


class _Bytes(NamedTuple):
    """The elements of a tensor, in one dimension."""

    elements: torch.Tensor


# Any: a tree holds values of many types.
def read_tree(archive: zipfile.ZipFile) -> Any:
    """Return the tree in an archive of `torch.save`: mappings, lists, tuples, tensors on the CPU.

    Args:
        archive: its members were checked (`camsim.archives.open_archive`).

    Raises:
        ArchiveError: it holds anything else, or a tensor is not what it says.
    """
    trees = [name for name in archive.namelist() if name.rpartition("/")[2] == _TREE]
    if len(trees) != 1 or archive.getinfo(trees[0]).file_size > _LONGEST_TREE:
        raise ArchiveError("not a checkpoint of this project")
    folder = trees[0].removesuffix(_TREE)
    order = f"{folder}byteorder"
    if order in archive.namelist() and archive.read(order) != sys.byteorder.encode():
        raise ArchiveError("written on a machine with another order of bytes")
    reader = _Reader(archive, folder)
    try:
        return reader.read(archive.read(trees[0]))
    except ArchiveError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError) as error:
        raise ArchiveError(f"not a tree of this project ({type(error).__name__})") from error


class _Reader:
    """A stack machine for the operations of our own trees."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._read_already: set[str] = set()

    def read(self, stream: bytes) -> Any:
        """Return what a stream tells."""
        for operation, argument, _ in pickletools.genops(stream):
            name = operation.name
            if name in _VALUES:
                self._stack.append(_VALUES[name](argument))
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif name != "STOP":
                raise ArchiveError(f"not a checkpoint of this project (operation {name})")
        (tree,) = self._stack
        return tree

    def mark(self, _: object) -> None:
        """Remember where the values of a container begin."""
        self._marks.append(len(self._stack))

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def remember(self, index: int) -> None:
        """Keep the newest value for later use."""
        self._memo[index] = self._stack[-1]

    def recall(self, index: int) -> None:
        """Use a text again; a container would be in two places, or inside itself."""
        value = self._memo[index]
        if not isinstance(value, str):
            raise ArchiveError("not a checkpoint of this project (a shared container)")
        self._stack.append(value)

    def tuple_since_mark(self, _: object) -> None:
        """Make a tuple."""
        self._stack.append(tuple(self._since_mark()))

    def tuple_of(self, length: int) -> None:
        """Make a tuple of the newest values."""
        values = tuple(self._stack[-length:])
        del self._stack[-length:]
        self._stack.append(values)

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values into a mapping."""
        target = self._stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise ArchiveError("not a checkpoint of this project (items of no mapping)")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int) or key in target or type(value) is _Name:
                raise ArchiveError(f"entry {key!r:.40} is twice there, or no entry")
            target[key] = value

    def append_items(self, values: list[Any]) -> None:
        """Put values into a list."""
        target = self._stack[-1]
        if type(target) is not list or _Name in map(type, values):
            raise ArchiveError("not a checkpoint of this project (items of no list)")
        target.extend(values)

    def items_since_mark(self, _: object) -> None:
        """Take several items."""
        values = self._since_mark()
        (self.set_items if type(self._stack[-1]) is dict else self.append_items)(values)

    def one_item(self, length: int) -> None:
        """Take one item: a value, or a key and a value."""
        values = self._stack[-length:]
        del self._stack[-length:]
        (self.set_items if length == 2 else self.append_items)(values)

    def elements(self, _: object) -> None:
        """Read the member that holds a tensor's elements."""
        kind, dtype, key, _place, n_elements = self._stack.pop()
        if kind != "storage" or type(dtype) is not _Name or type(key) is not str:
            raise ArchiveError("not a checkpoint of this project (no tensor)")
        self._stack.append(_Bytes(self._elements_of(key, _DTYPES[dtype], n_elements)))

    def _elements_of(self, key: str, dtype: torch.dtype, n_elements: int) -> torch.Tensor:
        name = f"{self._folder}data/{key}"
        if name in self._read_already:
            raise ArchiveError(f"tensor {key} is in two places")
        self._read_already.add(name)
        if self._archive.getinfo(name).file_size != n_elements * dtype.itemsize:
            raise ArchiveError(f"tensor {key} has another size than it says")
        if n_elements == 0:
            return torch.empty(0, dtype=dtype)
        raw = torch.frombuffer(bytearray(self._archive.read(name)), dtype=torch.uint8)
        if dtype is torch.bool and bool((raw > 1).any()):
            raise ArchiveError(f"tensor {key} holds other than true and false")
        return raw.view(dtype)

    def call(self, _: object) -> None:
        """Make what our trees have made by functions: tensors, and their empty hooks."""
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is _Name and function == _HOOKS and arguments == ():
            self._stack.append(None)
        elif type(function) is _Name and function == _REBUILD:
            self._stack.append(_tensor(*arguments))
        else:
            raise ArchiveError("asks for code to be executed, which does not happen")


def _tensor(
    source: _Bytes, offset: int, size: Sequence[int], stride: Sequence[int], *_: object
) -> torch.Tensor:
    """Return a tensor that lies within its elements and has no more of them."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(x) is int and x >= 0 for x in numbers):
        raise ArchiveError("a tensor has no shape")
    n_elements = len(source.elements)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    n_shown = math.prod(size)
    if n_shown > n_elements or (n_shown and last >= n_elements):
        raise ArchiveError("a tensor has another size than it says")
    return source.elements.as_strided(size, stride, offset)


# Any: the argument of an operation is of its own type.
_VALUES: dict[str, Callable[[Any], Any]] = {
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "GLOBAL": _Name,
}
_VALUES |= dict.fromkeys(
    ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), lambda value: value
)

_ACTIONS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": lambda reader, version: None,
    "MARK": _Reader.mark,
    "BINPUT": _Reader.remember,
    "LONG_BINPUT": _Reader.remember,
    "BINGET": _Reader.recall,
    "LONG_BINGET": _Reader.recall,
    "TUPLE": _Reader.tuple_since_mark,
    "TUPLE1": lambda reader, _: reader.tuple_of(1),
    "TUPLE2": lambda reader, _: reader.tuple_of(2),
    "TUPLE3": lambda reader, _: reader.tuple_of(3),
    "SETITEM": lambda reader, _: reader.one_item(2),
    "SETITEMS": _Reader.items_since_mark,
    "APPEND": lambda reader, _: reader.one_item(1),
    "APPENDS": _Reader.items_since_mark,
    "BINPERSID": _Reader.elements,
    "REDUCE": _Reader.call,
}
