"""Reading a pickle as data: what it would have its reader call is written down, and nothing is called.

A pickle is a program for a stack machine, two of whose instructions import what they name and call it. This machine
carries out the others, so that reading a file from a stranger runs nothing that the file chooses. What it makes is of
a size in proportion to the file's.
"""

import mmap
import pickle
import pickletools
from dataclasses import dataclass, field
from typing import IO, Any, cast

MAX_OPCODES = 1_000_000
"""Some twenty times what the checkpoint of a large network with its optimiser has; it bounds time and memory."""

VALUE_OPCODES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
    | {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
CONSTANT_OPCODES: dict[str, bool | None] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}

Items = dict[str, object]


class RefusedPickleError(pickle.UnpicklingError):
    """It may be whole, but it is not read as data; PyTorch, which runs what it reads, may be able to load it."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function by its name; it is not looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An object that a pickle wants to have made by a call.

    Attributes:
        function: What would be called: a `Name`, or whatever the pickle has put in its place.
        arguments: What it would be called with.
        items: What would be put into the result, for those like dictionaries.
    """

    function: object
    arguments: tuple[object, ...]
    items: Items = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PersistentId:
    """An object that is stored outside the pickle, by the identifier that the pickle gives it."""

    identifier: object


ORDERED_DICT = Name("collections", "OrderedDict")


def read_pickle(file: IO[bytes] | mmap.mmap) -> tuple[object, list[PersistentId]]:
    """Read one pickle, up to its end and no further.

    Dictionaries (`OrderedDict` too) become dicts, from which entries whose keys are no strings are left out; sets
    become lists; instances of classes and results of functions become `Call`.

    Returns:
        The object, and all persistent identifiers in it or elsewhere in the pickle.

    Raises:
        pickle.UnpicklingError: It is no pickle, is cut off, or (RefusedPickleError) is far longer than any
            checkpoint's.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast("IO[bytes]", file))):
            if opcode.name == "STOP":
                return machine.stack.pop(), machine.persistent_ids
            if count == MAX_OPCODES:
                raise RefusedPickleError(f"the pickle has more than {MAX_OPCODES} instructions")
            machine.run(opcode.name, argument)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise pickle.UnpicklingError(f"the pickle is broken: {' '.join(str(error).split())[:200]}") from error
    raise pickle.UnpicklingError("the pickle has no end")


class _Machine:
    """The stack and the memory of the machine that pickles are programs for."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.persistent_ids: list[PersistentId] = []
        self._outer: list[list[Any]] = []
        self._memory: dict[int, object] = {}

    def run(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        match name:
            case "PROTO" | "FRAME":
                pass
            case value if value in VALUE_OPCODES:
                self.stack.append(argument)
            case constant if constant in CONSTANT_OPCODES:
                self.stack.append(CONSTANT_OPCODES[constant])
            case "MARK":
                self._outer.append(self.stack)
                self.stack = []
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self._pop_to_mark()
            case "DUP":
                self.stack.append(self.stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memory[argument] = self.stack[-1]
            case "MEMOIZE":
                self._memory[len(self._memory)] = self.stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                self.stack.append(self._memory[argument])
            case _:
                self._make_container(name, argument)

    def _make_container(self, name: str, argument: Any) -> None:
        """Carry out an instruction that makes a container."""
        made: object
        match name:
            case "EMPTY_LIST" | "EMPTY_SET":
                made = []
            case "EMPTY_TUPLE":
                made = ()
            case "EMPTY_DICT":
                made = {}
            case "LIST" | "FROZENSET":
                made = self._pop_to_mark()
            case "TUPLE":
                made = tuple(self._pop_to_mark())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                made = tuple([self.stack.pop() for _ in range(int(name[-1]))][::-1])
            case "DICT":
                made = {}
                _put(made, self._pop_to_mark())
            case _:
                self._fill_container(name, argument)
                return
        self.stack.append(made)

    def _fill_container(self, name: str, argument: Any) -> None:
        """Carry out an instruction that puts something into a container or object."""
        match name:
            case "APPEND":
                _append(self.stack, [self.stack.pop()])
            case "APPENDS" | "ADDITEMS":
                values = self._pop_to_mark()
                _append(self.stack, values)
            case "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                _put(self.stack[-1], [key, value])
            case "SETITEMS":
                items = self._pop_to_mark()
                _put(self.stack[-1], items)
            case "BUILD":
                # The state of an object that is not made has nowhere to go.
                self.stack.pop()
                _ = self.stack[-1]
            case _:
                self._name_object(name, argument)

    def _name_object(self, name: str, argument: Any) -> None:
        """Carry out, in writing alone, an instruction that imports or calls something."""
        made: object
        match name:
            case "GLOBAL":
                made = _name(argument.split(" ", 1))
            case "STACK_GLOBAL":
                last, module = self.stack.pop(), self.stack.pop()
                made = _name([module, last])
            case "INST":
                made = _call(_name(argument.split(" ", 1)), tuple(self._pop_to_mark()))
            case "OBJ":
                function, *arguments = self._pop_to_mark()
                made = _call(function, tuple(arguments))
            case "REDUCE" | "NEWOBJ":
                arguments, function = self.stack.pop(), self.stack.pop()
                made = _call(function, arguments)
            case "NEWOBJ_EX":
                _, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
                made = _call(function, arguments)
            case "PERSID" | "BINPERSID":
                made = PersistentId(self.stack.pop() if name == "BINPERSID" else argument)
                self.persistent_ids.append(made)
            case _:
                raise ValueError(f"instruction {name} does not belong in a checkpoint")
        self.stack.append(made)

    def _pop_to_mark(self) -> list[Any]:
        """Take off the stack all that lies above the last mark, and the mark."""
        values, self.stack = self.stack, self._outer.pop()
        return values


def _name(parts: list[Any]) -> Name:
    """Return a name, whose parts must be strings."""
    module, name = parts
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("the name of a class or function is no string")
    return Name(module, name)


def _call(function: object, arguments: Any) -> object:
    """Return the record of a call; the only kind of object that is made is a dictionary."""
    # A copy of another sequence, made again and again, would grow out of proportion to the file.
    if not isinstance(arguments, tuple):
        raise TypeError("the arguments of a call are no tuple")
    if function == ORDERED_DICT and not arguments:
        return {}
    return Call(function, arguments)


def _append(stack: list[Any], values: list[Any]) -> None:
    """Append to the list on top of the stack; what any other object makes of it is not known."""
    if isinstance(stack[-1], list):
        stack[-1].extend(values)


def _put(target: object, items: list[Any]) -> None:
    """Put keys and values, which take turns, into a dictionary or the record of one."""
    entries = target.items if isinstance(target, Call) else target
    if not isinstance(entries, dict):
        return
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Others, such as tuples of tuples of tuples, could take for ever to hash.
        if isinstance(key, str):
            entries[key] = value
