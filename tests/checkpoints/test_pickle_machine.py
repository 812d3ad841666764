import collections
import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrdeploy.checkpoints.pickle_machine import MAX_OPCODES, Call, Name, PersistentId, read_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(data: bytes) -> Any:
    return read_pickle(io.BytesIO(data))[0]


class Plain:
    """A class of its own, whose instances have a state."""

    def __init__(self) -> None:
        self.state = 1


class Dictionary(dict[str, int]):
    """A kind of dictionary, as configs are."""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner, inner)
    ),
    max_leaves=20,
)


# Before protocol 3 bytes have no instruction of their own: they are the result of a call.
@given(value=values, protocol=st.sampled_from([3, 4, 5]))
def test_plain_data_comes_back(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_is_read(protocol: int) -> None:
    shared = [1, 2]
    value = {"a": shared, "b": shared, "c": (1, 2.5, "é", None, True), "d": {"e": [{}, (), []]}, "f": 2**70, "g": -3}
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ordered_dictionaries_are_dictionaries(protocol: int) -> None:
    value = collections.OrderedDict(a=1, b=collections.OrderedDict(c=2))
    assert read(pickle.dumps(value, protocol)) == {"a": 1, "b": {"c": 2}}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_are_written_down_and_not_made(protocol: int) -> None:
    record = read(pickle.dumps({"x": Plain(), "y": Dictionary(a=1), "z": np.float32(2), "w": {3, 4}}, protocol))
    assert isinstance(record["x"], Call)
    assert isinstance(record["y"], Call)
    assert isinstance(record["z"], Call)
    # Before, the class and the items are arguments of a function of copyreg.
    if protocol > 1:
        assert record["x"].function == Name(__name__, "Plain")
        assert record["y"].items == {"a": 1}


def test_sets_are_lists() -> None:
    assert sorted(read(pickle.dumps({1, 2, 3}, 4))) == [1, 2, 3]
    assert sorted(read(pickle.dumps(frozenset({1, 2}), 4))) == [1, 2]


def test_keys_that_are_no_strings_are_left_out() -> None:
    assert read(pickle.dumps({"a": 1, 2: 3, (4, 5): 6, None: 7}, 4)) == {"a": 1}


def test_persistent_identifiers_are_collected() -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            return ("outside", 3) if isinstance(obj, Plain) else None

    stream = io.BytesIO()
    Pickler(stream, 2).dump([1, Plain()])
    content, found = read_pickle(io.BytesIO(stream.getvalue()))
    assert isinstance(content, list)
    assert content[1] is found[0]
    assert isinstance(content[1], PersistentId)
    assert content[1].identifier == ("outside", 3)


def test_the_file_is_read_to_the_end_of_one_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert [read_pickle(stream)[0], read_pickle(stream)[0], stream.read()] == [1, "two", b"rest"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_is_cut_off_is_refused(protocol: int) -> None:
    data = pickle.dumps({"a": [1, 2, "three"], "b": (4.5, b"6"), "c": Plain()}, protocol)
    for length in range(len(data)):
        with pytest.raises(pickle.UnpicklingError):
            read(data[:length])


@given(data=st.binary(max_size=60))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except pickle.UnpicklingError as error:
        assert str(error)  # noqa: PT017  (either outcome is right)


PUSH_NAME = b"cos\nsystem\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "pickle"),
        (b".", "pop from empty list"),
        (b"\x80\x02h\x05.", "5"),
        (b"\x80\x02t.", "pop from empty list"),
        (b"\x80\x04\x82\x01.", "EXT1 does not belong in a checkpoint"),
        (b"\x80\x05\x97.", "NEXT_BUFFER does not belong in a checkpoint"),
        # A class whose name is a list; arguments that are a string, a list, and a dictionary.
        (b"\x80\x04]]\x93.", "no string"),
        (b"\x80\x04" + PUSH_NAME + b"\x8c\x05abcdeR.", "arguments of a call are no tuple"),
        (b"\x80\x04" + PUSH_NAME + b"]R.", "arguments of a call are no tuple"),
        (b"\x80\x04" + PUSH_NAME + b"}\x81.", "arguments of a call are no tuple"),
        (b"}(\x8c\x01aK\x01\x8c\x01bu.", "broken"),
        # Lengths far beyond the end of the file.
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.", "broken"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**63) + b"x.", "broken"),
        (b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", "broken"),
        (b"\x80\x04T" + struct.pack("<i", -5) + b"x.", "broken"),
    ],
)
def test_broken_pickles_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=message):
        read(data)


def test_a_memory_index_out_of_all_proportion_is_one_entry() -> None:
    # The unpickler of CPython fills a table up to this index.
    assert read(b"\x80\x04K\x07r\xff\xff\xff\x7f.") == 7


def test_nested_tuples_need_not_be_hashed() -> None:
    # Each is twice the one before: to hash them as the key of a dictionary would take 2**200 steps.
    doubling = b")" + b"2\x86" * 200
    assert read(b"\x80\x04}" + doubling + b"K\x01s.") == {}
    assert read(b"\x80\x04\x8f(" + doubling + b"\x90K\x05.") == 5


def test_a_pickle_without_end_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match=f"more than {MAX_OPCODES} instructions"):
        read(b"\x80\x04" + b"N0" * (MAX_OPCODES // 2) + b"N.")
