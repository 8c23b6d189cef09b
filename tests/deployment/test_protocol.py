"""Tensors become arrays, and arrays tensors: exactly, or with one sentence that says why not."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

pytest.importorskip("orjson", reason="orjson is not installed")

from polyculture.deployment.server.protocol.requests import read_request
from polyculture.deployment.server.protocol.tensors import DTYPES, array_of_bytes, array_of_json, bytes_of_array
from polyculture.deployment.server.refusals import RefusedRequestError
from polyculture.errors import PolycultureError

NUMBERS = sorted(set(DTYPES) - {"BYTES"})


def request(**tensor: Any) -> bytes:
    """A request with one tensor of two instances."""
    return json.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]} | tensor]}).encode()


def refused(body: bytes, header: bytes | None = None) -> str:
    """The sentence with which a body is refused as malformed."""
    with pytest.raises(RefusedRequestError) as caught:
        read_request(body, header)
    assert caught.value.status == 400
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("datatype", NUMBERS)
def test_raw_bytes_are_the_bytes_of_numpy(datatype: str) -> None:
    values = np.array([[0, 1], [1, 0], [1, 1]], DTYPES[datatype])
    content = values.tobytes()
    assert np.array_equal(array_of_bytes("x", datatype, (3, 2), content), values)
    assert bytes_of_array(datatype, values) == content


@given(npst.arrays(np.float32, npst.array_shapes(min_dims=1, max_dims=3), elements=st.floats(width=32)))
def test_raw_numbers_survive_a_round_trip(values: np.ndarray) -> None:
    again = array_of_bytes("x", "FP32", values.shape, bytes_of_array("FP32", values))
    assert again.tobytes() == values.tobytes()


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10))
def test_texts_survive_a_round_trip(texts: list[bytes]) -> None:
    array = np.empty(len(texts), object)
    array[:] = texts
    content = bytes_of_array("BYTES", array)
    assert content == b"".join(struct.pack("<I", len(text)) + text for text in texts)
    assert array_of_bytes("x", "BYTES", (len(texts),), content).tolist() == texts


@given(st.binary(max_size=60), st.integers(0, 6))
def test_any_bytes_are_texts_or_are_refused(content: bytes, count: int) -> None:
    try:
        array = array_of_bytes("x", "BYTES", (count,), content)
    except RefusedRequestError:
        return
    assert bytes_of_array("BYTES", array) == content


def test_bf16_is_the_upper_half_of_a_float() -> None:
    content = np.array([0x3F80, 0xC000, 0x4049], "<u2").tobytes()
    assert array_of_bytes("x", "BF16", (3,), content).tolist() == [1.0, -2.0, 3.140625]


@pytest.mark.parametrize("data", [[1, 2.5, 3, 4], [[1, 2.5], [3, 4]]])
def test_json_is_flat_or_nested_as_the_shape(data: list[Any]) -> None:
    assert array_of_json("x", "FP32", (2, 2), data).tolist() == [[1, 2.5], [3, 4]]


def test_null_is_a_missing_number() -> None:
    array = array_of_json("x", "FP64", (2,), [None, 1])
    assert np.isnan(array[0])
    assert array[1] == 1


@pytest.mark.parametrize(
    ("datatype", "data", "sentence"),
    [
        ("FP32", [1, "2"], "the data of 'x' have '2'; expected values of FP32."),
        ("FP32", [1, True], "the data of 'x' have True; expected values of FP32."),
        ("FP32", [1, 1e39], "the data of 'x' have numbers beyond the range of FP32."),
        ("FP32", [1, 1e308], "the data of 'x' have numbers beyond the range of FP32."),
        ("FP16", [1, 65520], "the data of 'x' have numbers beyond the range of FP16."),
        ("FP64", [1, 10**400], "the data of 'x' have numbers beyond the range of FP64."),
        ("INT64", [1, 1.0], "the data of 'x' have 1.0; expected values of INT64."),
        ("INT64", [1, 2**63], "the data of 'x' have numbers beyond the range of INT64."),
        ("INT8", [1, 128], "the data of 'x' have numbers beyond the range of INT8."),
        ("UINT8", [1, -1], "the data of 'x' have numbers beyond the range of UINT8."),
        ("INT64", [1, None], "the data of 'x' have None; expected values of INT64."),
        ("BOOL", [1, 0], "the data of 'x' have 1; expected values of BOOL."),
        ("BYTES", ["a", 1], "the data of 'x' have 1; expected texts, for the datatype BYTES."),
        ("FP32", [[1], [2, 3]], "the data of 'x' are ragged; expected a flat list, or rows of equal length."),
        ("FP32", [1, 2, 3], "'x' has data of shape [3]; expected 2 values, for its shape [2]."),
        ("FP32", [[1, 2]], "'x' has data of shape [1, 2]; expected 2 values, for its shape [2]."),
        ("FP32", "ab", "the data of 'x' are 'ab'; expected a list."),
        ("FP32", [{}, 1], "the data of 'x' have {}; expected values of FP32."),
    ],
)
def test_no_value_is_changed_on_the_way(datatype: str, data: Any, sentence: str) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        array_of_json("x", datatype, (2,), data)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"", "the request is no JSON: "),
        (b"{", "the request is no JSON: "),
        (b"[1]", "the request is no JSON object"),
        (b"{}", "the inputs are None"),
        (b'{"inputs": []}', "the inputs are []"),
        (b'{"inputs": [1]}', "an input is 1"),
        (request(name=1), "an input is {"),
        (request(shape=[-1]), "the shape of 'x' is [-1]"),
        (request(shape=[2.0]), "the shape of 'x' is [2.0]"),
        (request(shape=[True]), "the shape of 'x' is [True]"),
        (request(shape=[]), "the tensor 'x' has 0 axes"),
        (request(shape=[1] * 20), "the tensor 'x' has 20 axes"),
        (request(shape=[2**62, 2**62]), "'x' has data of shape [2]"),
        (request(shape=[0], data=[]), "the request has no instances"),
        (request(datatype="FP99"), "the datatype of 'x' is 'FP99'"),
        (request(datatype="BF16"), "the datatype of 'x' is 'BF16'"),
        (request(parameters={"binary_data_size": 4}), "binary_data_size of 'x' is 4"),
        (request(parameters={"binary_data_size": -1}), "binary_data_size of 'x' is -1"),
        (request(parameters={"binary_data_size": 0}), "the input 'x' has data and binary_data_size"),
        (request(parameters={"shared_memory_region": "r"}), "'x' is in shared memory"),
        (b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32"}]}', "the input 'x' has no data"),
        (b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[NaN]}]}', "the request is no JSON: "),
        (b'{"inputs":' + b"[" * 5000, "the request is no JSON: "),
    ],
)
def test_malformed_requests_are_refused_in_one_sentence(body: bytes, start: str) -> None:
    assert refused(body).startswith(start)


@pytest.mark.parametrize("header", [b"", b"-1", b"1e3", b"99999", b"9" * 30, "٣".encode()])
def test_a_wrong_header_length_is_refused(header: bytes) -> None:
    assert refused(request(), header).startswith("the header Inference-Header-Content-Length is ")


def test_names_and_numbers_of_instances_are_checked() -> None:
    x = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}
    y = {"name": "y", "shape": [1], "datatype": "FP32", "data": [1]}
    assert refused(json.dumps({"inputs": [x, x]}).encode()) == "the input 'x' comes twice; expected each name once."
    assert refused(json.dumps({"inputs": [x, y]}).encode()).startswith("'x' has 2 instances and 'y' has 1;")
    assert read_request(json.dumps({"inputs": [x, {**y, "shape": [2], "data": [1, 2]}]}).encode()).rows == 2


def test_json_that_would_fill_the_memory_is_refused() -> None:
    for filler in (b"[],", b"0,", b"{},"):
        body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[' + filler * 4_100_000 + b"0]}]}"
        with pytest.raises(RefusedRequestError) as caught:
            read_request(body)
        assert caught.value.status == 413


def test_a_long_value_is_not_repeated_in_an_error() -> None:
    body = request(name="n" * 10_000, shape=[3])
    assert len(refused(body)) < 400


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=8)
)
def test_any_data_are_an_array_or_are_refused(data: Any) -> None:
    for datatype in DTYPES:
        try:
            array = array_of_json("x", datatype, (1,), data)
        except PolycultureError:
            continue
        assert array.shape == (1,)
