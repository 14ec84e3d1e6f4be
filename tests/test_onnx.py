"""A graph of ONNX encodes as ``transform`` does, and what it cannot hold is refused."""

from __future__ import annotations

import datetime as dt
import importlib
import sys
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_embed import EmbeddingEncoder

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from skl2onnx.common import data_types  # noqa: E402

from sk_embed.onnx import initial_types, to_onnx  # noqa: E402

N_ROWS = 1000
RNG = np.random.default_rng(0)
QUICK = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
# Categories of each kind of column, then values that are none of them.
WORDS = ["a", "b", "B", "e\u0301", "\u00e9", "n\0ul", "n", " ", "\U0001f600", "None", "nan"]
KINDS = {
    "strings": (WORDS, ["c", "A", "n\0", "\ufffd"]),
    "integers": ([-(2**63), -1, 0, 7, 2**53, 2**53 + 1, 2**63 - 1], [1, 2**53 + 2]),
    "unsigned": ([0, 1, 2**53 + 1, 2**63, 2**64 - 1], [2**63 - 1, 2**63 + 1, 5]),
    "floats": (
        [0.0, 0.1, 0.3, 0.1 + 0.2, 1e-40, 1e300, np.inf, -np.inf, 2.0**53],
        [np.nextafter(0.1, 1), float(np.float32(0.1)), 0.3 + 1e-15, 1e301, -1e300, 1e-300],
    ),
    "singles": ([0.0, 0.1, 1e-40, 3e38, np.inf], [0.2, -np.inf, np.float32(0.1) * 2]),
    "booleans": ([False, True], []),
    "whole": ([1, 2, 3], [0, 4]),
}
NUMBERS = {
    "bool": data_types.BooleanTensorType,
    "float16": data_types.Float16TensorType,
    "float32": data_types.FloatTensorType,
    "float64": data_types.DoubleTensorType,
}
for width in (8, 16, 32, 64):
    NUMBERS[f"int{width}"] = getattr(data_types, f"Int{width}TensorType")
    NUMBERS[f"uint{width}"] = getattr(data_types, f"UInt{width}TensorType")
# What onnxruntime calls the types.
DTYPE_OF = {f"tensor({dtype})": dtype for dtype in NUMBERS}
DTYPE_OF |= {"tensor(float)": "float32", "tensor(double)": "float64"}
DTYPES = {
    "strings": object,
    "integers": np.int64,
    "unsigned": np.uint64,
    "floats": np.float64,
    "singles": np.float32,
    "booleans": bool,
    "whole": np.int8,
}


def drawn(values, dtype, with_gaps=False):
    """Return a column of random values, a tenth of them missing if ``with_gaps``."""
    array = np.array(values, dtype=dtype)
    column = array[RNG.integers(0, len(array), N_ROWS)]
    if with_gaps:
        column[RNG.random(N_ROWS) < 0.1] = None if array.dtype == object else np.nan
    return column


def target_of(column):
    return pd.factorize(column)[0] + RNG.normal(size=len(column))


def fitted(X, y=None, **parameters):
    if y is None:
        y = target_of(np.asarray(X)[:, 0])
    return EmbeddingEncoder(**{**QUICK, **parameters}).fit(X, y)


@cache
def encoder_of(kind):
    """Return an encoder of one column of a kind, fitted once."""
    return fitted(pd.DataFrame({"x": drawn(KINDS[kind][0], DTYPES[kind])}))


def run(model, X, missing=""):
    """Return the outputs of a graph, which gets the columns one by one, in their order."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].shape[1] != 1:
        return session.run(None, {inputs[0].name: X})
    columns = [column for _, column in pd.DataFrame(X).items()]
    feeds = {}
    for given, column in zip(inputs, columns, strict=True):
        if given.type == "tensor(string)":
            values = column.astype(object).where(column.notna(), missing).to_numpy(object)
        else:
            gap = {"na_value": np.nan} if column.isna().any() else {}
            values = column.to_numpy(DTYPE_OF[given.type], **gap)
        feeds[given.name] = values.reshape(-1, 1)
    return session.run(None, feeds)


def assert_same(encoder, X, model=None, missing=""):
    model = to_onnx(encoder, missing=missing) if model is None else model
    (encoded,) = run(model, X, missing)
    expected = encoder.transform(X)
    assert encoded.dtype == np.dtype(encoder.dtype)
    assert_array_equal(encoded, expected.astype(encoded.dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_column_is_encoded_to_the_same_bits_known_or_not(kind):
    known, unknown = KINDS[kind]
    new = pd.DataFrame({"x": drawn(known + unknown, DTYPES[kind])})
    encoder = encoder_of(kind)
    assert len(encoder.categories_[0]) == len(known)
    assert_same(encoder, new)


@pytest.mark.parametrize("kind", ["strings", "floats", "singles"])
@pytest.mark.parametrize("where", ["in fit", "later"])
def test_missing_values_are_a_category_if_they_were_in_fit_else_unknown(kind, where):
    known, unknown = KINDS[kind]
    train = pd.DataFrame({"x": drawn(known, DTYPES[kind], with_gaps=where == "in fit")})
    new = pd.DataFrame({"x": drawn(known + unknown, DTYPES[kind], with_gaps=True)})
    assert new["x"].isna().any()
    assert_same(fitted(train), new)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(drawn(WORDS[:5], object, with_gaps=True), dtype="str"),
        pd.Series(drawn(WORDS[:5], object, with_gaps=True), dtype="category"),
        pd.Series(
            drawn([1, 2, 2**40 + 1, 2**40 + 2], object, with_gaps=True), dtype="Int64"
        ),
        pd.Series(drawn([True, False], object, with_gaps=True), dtype="boolean"),
        pd.Series(drawn([1.5, 2.5], object, with_gaps=True), dtype="Float64"),
        pd.Series(drawn([True, 2, 3.5, 2**53], object)),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_of_pandas_dtypes_are_encoded_alike(column):
    X = column.to_frame("x")
    assert_same(fitted(X, np.arange(N_ROWS) % 7 + RNG.normal(size=N_ROWS)), X)


def test_a_column_of_nothing_but_missing_values_is_encoded():
    X = pd.DataFrame({"x": np.full(N_ROWS, np.nan), "y": drawn([1, 2], int)})
    assert_same(fitted(X, RNG.normal(size=N_ROWS)), X)


def held_by(dtype, values):
    """Return the values that an integer type holds, or what a float type makes of them."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(values, np.float64).astype(dtype)
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    finite = [value for value in values if abs(value) != np.inf and value == int(value)]
    held = [int(value) for value in finite if limits.min <= value <= limits.max]
    return np.array(held, dtype)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("kind", ["integers", "unsigned", "floats", "singles", "booleans"])
def test_numbers_equal_those_of_other_types_where_python_says_so(kind, dtype):
    known, unknown = KINDS[kind]
    new = held_by(np.dtype(dtype), known + unknown + [2, 100, 0.5])
    encoder = encoder_of(kind)
    types = [("x", NUMBERS[dtype]([None, 1]))]
    model = skl2onnx.to_onnx(encoder, initial_types=types)
    assert_same(encoder, pd.DataFrame({"x": new}), model)


def frame():
    return pd.DataFrame(
        {
            "word": drawn(list("abcdefgh"), object, with_gaps=True),
            "number": drawn(np.arange(12), np.int64),
            "context": RNG.normal(size=N_ROWS),
            "more": drawn([0, 1], np.int64),
        }
    )


def new_frame():
    new = frame()
    is_new = RNG.random((2, N_ROWS)) < 0.2
    new.loc[is_new[0], "word"] = "new"
    new.loc[is_new[1], "number"] = -1
    return new


TARGETS = {
    "continuous": lambda X: X["number"] % 5 + (X["word"] == "a") * X["context"],
    "binary": lambda X: X["number"] % 2 == (X["word"] == "a"),
    "multiclass": lambda X: np.array(["x", "y", "z"])[X["number"] % 3],
    "continuous-multioutput": lambda X: X[["context", "more"]] * 1.5,
    "multilabel-indicator": lambda X: np.column_stack([X["more"], X["number"] % 2]),
}
CHOSEN = {"categorical_features": ["word", "number"]}


@pytest.mark.parametrize("target_type", TARGETS)
def test_all_targets_crosses_and_context_are_encoded_to_the_same_bits(target_type):
    X = frame()
    encoder = fitted(
        X, TARGETS[target_type](X), crosses=[("word", "number")], target_type=target_type,
        remainder="passthrough", **CHOSEN,
    )  # fmt: skip
    assert len(encoder.crosses_) == 1
    assert_same(encoder, new_frame())


@pytest.mark.parametrize(
    "parameters",
    [
        {"main_effects": False, "crosses": [("word", "number")], "n_components": 3},
        {"n_components": 0},
        {"dtype": np.float64, "remainder": "passthrough", "crosses": [("word", "number")]},
        {"min_frequency": 0.09, "crosses": [("word", "number")]},
        {"max_categories": 3},
        {"counts": True, "crosses": [("word", "number")], "min_frequency": 0.09},
        {"categories": {"word": ["a", "b", "z"]}},
        {"categories": {"word": ["a", None, "b"]}, "min_frequency": 10},
    ],
    ids=str,
)
def test_parameters_that_shape_the_output_shape_the_graph(parameters):
    X = frame()
    encoder = fitted(X, TARGETS["continuous"](X), **CHOSEN, **parameters)
    assert_same(encoder, new_frame())


def test_encoders_of_chunks_streams_and_files_are_converted(tmp_path):
    X, new = frame(), new_frame()
    y = TARGETS["continuous"](X)
    encoder = EmbeddingEncoder(**QUICK, **CHOSEN)
    assert_same(encoder.fit_chunks([(X[:600], y[:600]), (X[600:], y[600:])]), new)
    assert_same(encoder.partial_fit(new, TARGETS["continuous"](new)), new)
    fitted(X, y, crosses=[("word", "number")], **CHOSEN).save(tmp_path / "encoder.zip")
    assert_same(EmbeddingEncoder.load(tmp_path / "encoder.zip"), new)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_pairs_that_were_never_met_are_encoded_to_the_same_bits(n_targets):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(60, size=(5_000, 2)), columns=["word", "number"])
    a, b = rng.normal(size=(2, 60, 2))
    signal = np.einsum("ir,ir->i", a[X["word"]], b[X["number"]])
    y = signal[:, None] + 0.5 * rng.normal(size=(5_000, n_targets))
    X["word"] = X["word"].map("w{}".format)
    encoder = EmbeddingEncoder(crosses=[("word", "number")], random_state=0)
    new = X[3_750:]
    encoder.fit(X[:3_750], y[:3_750] if n_targets > 1 else y[:3_750, 0])
    (cross,) = encoder._fitted.crosses
    assert cross.interaction is not None
    assert_same(encoder, new)


def test_another_string_may_stand_for_missing_values():
    X = pd.DataFrame({"x": drawn(["", "a", "b"], object, with_gaps=True)})
    encoder = fitted(X)
    with pytest.raises(ValueError, match=r"Column 'x' has the category ''.*by missing="):
        to_onnx(encoder)
    assert_same(encoder, X, missing="?")
    with pytest.raises(TypeError, match="missing must be a string, but is nan"):
        to_onnx(encoder, missing=np.nan)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([Decimal(1), Decimal(2)], "values of type Decimal"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "values of type date"),
        ([pd.Timestamp("2024"), pd.Timestamp("2025")], "values of type Timestamp"),
        ([pd.Timedelta(1), pd.Timedelta(2)], "values of type Timedelta"),
        ([("a", 1), ("a", 2)], "values of type tuple"),
        ([b"a", b"b"], "values of type bytes"),
        ([1, "1"], "holds strings and numbers"),
        (["a", "\ud800"], "half a surrogate pair"),
        ([2**64, 3], "holds numbers, as 3|holds numbers, as 18446744073709551617"),
        ([2**53 + 1, None], "holds numbers, as 9007199254740993.*missing"),
        ([1.0, 1.0 + 2**-52, 1e300, 2e300], "too close to each other, or out"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_no_tensor_holds_is_refused_naming_the_column(values, message):
    column = pd.Series(values * 20, dtype=object)
    if values[0] == 2**64:
        column = pd.Series([2**64 + 1, 3] * 20, dtype=object)
    encoder = fitted(column.to_frame("day"), np.arange(len(column)) % 3 + 0.5)
    with pytest.raises(ValueError, match=rf"^Column 'day' .*({message}).*before fit\.$"):
        to_onnx(encoder)


def test_unknown_categories_that_are_errors_are_refused():
    X = frame()
    encoder = fitted(X, TARGETS["continuous"](X), handle_unknown="error", **CHOSEN)
    with pytest.raises(ValueError, match=r"set_params\(handle_unknown='prior'\)"):
        to_onnx(encoder)
    assert_same(encoder.set_params(handle_unknown="prior"), new_frame())


def test_an_encoder_must_be_fitted():
    with pytest.raises(NotFittedError):
        to_onnx(EmbeddingEncoder())
    with pytest.raises(NotFittedError):
        skl2onnx.to_onnx(
            EmbeddingEncoder(),
            initial_types=[("x", data_types.StringTensorType([None, 1]))],
        )


@pytest.mark.parametrize(
    "model",
    [Ridge(), make_pipeline(StandardScaler(), Ridge()), RandomForestRegressor(5)],
    ids=["linear", "scaled", "forest"],
)
def test_a_pipeline_predicts_the_same_without_python(model):
    X, new = frame(), new_frame()
    encoder = EmbeddingEncoder(remainder="passthrough", **QUICK, **CHOSEN)
    pipeline = make_pipeline(encoder, model).fit(X, TARGETS["continuous"](X))
    graph = skl2onnx.to_onnx(pipeline, initial_types=initial_types(pipeline[0]))
    (predicted,) = run(graph, new)
    assert_allclose(predicted[:, 0], pipeline.predict(new), rtol=1e-4, atol=1e-5)


def test_a_classifier_behind_an_encoder_gives_the_same_probabilities():
    X, new = frame(), new_frame()
    pipeline = make_pipeline(EmbeddingEncoder(**QUICK, **CHOSEN), LogisticRegression())
    pipeline.fit(X, TARGETS["multiclass"](X))
    options = {LogisticRegression: {"zipmap": False}, EmbeddingEncoder: {"missing": "?"}}
    types = initial_types(pipeline[0])
    graph = skl2onnx.to_onnx(pipeline, initial_types=types, options=options)
    labels, probabilities = run(graph, new, missing="?")
    assert_array_equal(labels, pipeline.predict(new))
    assert_allclose(probabilities, pipeline.predict_proba(new), rtol=1e-4, atol=1e-6)


def test_columns_of_a_column_transformer_are_not_merged_into_one_type():
    n_ids = 50
    X = pd.DataFrame(
        {
            "id": 2**60 + np.arange(N_ROWS) % n_ids,
            "share": (np.arange(N_ROWS) % 3).astype(np.float32),
            "context": RNG.normal(size=N_ROWS),
        }
    )
    y = X["id"] % 5 + X["context"]
    encoder = EmbeddingEncoder(**QUICK)
    both = make_column_transformer(
        (encoder, ["id", "share"]), (StandardScaler(), ["context"])
    )
    pipeline = make_pipeline(both, Ridge()).fit(X, y)
    graph = skl2onnx.to_onnx(pipeline, X[:1])
    (predicted,) = run(graph, X)
    assert_allclose(predicted[:, 0], pipeline.predict(X), rtol=1e-4, atol=1e-5)


def test_one_tensor_may_hold_all_columns():
    X = np.column_stack([drawn(list("abc"), object), drawn(list("xyz"), object)])
    encoder = fitted(X)
    assert_same(encoder, X, skl2onnx.to_onnx(encoder, X[:1]))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([("word", "String"), ("number", "String")], "'number' held numbers.*of strings"),
        ([("word", "Int64"), ("number", "Int64")], "'word' held strings.*of int64"),
        ([("number", "Int64"), ("word", "String")], "declare them in this order"),
        ([("word", "String")], "inputs have 1 columns, but X had 2 in fit"),
        ([("word", "String"), ("number", "Complex64")], "Input 'number' is a Complex64"),
    ],
)
def test_inputs_that_do_not_fit_the_columns_are_refused(types, message):
    X = frame()[["word", "number"]]
    declared = [
        (name, getattr(data_types, f"{kind}TensorType")([None, 1])) for name, kind in types
    ]
    with pytest.raises(ValueError, match=rf"{message}.*initial_types"):
        skl2onnx.to_onnx(fitted(X), initial_types=declared)


def test_context_that_is_passed_through_cannot_be_strings():
    X = frame()[["word", "context"]]
    encoder = fitted(X, categorical_features=["word"], remainder="passthrough")
    text = data_types.StringTensorType([None, 1])
    with pytest.raises(ValueError, match="Context column 'context' is numeric, but its"):
        skl2onnx.to_onnx(encoder, initial_types=[("word", text), ("context", text)])


def test_any_names_make_inputs_in_the_order_of_the_columns():
    X = frame()[["word", "number"]].set_axis(["a b", "encoded"], axis=1)
    assert_same(fitted(X), X)
    assert_same(fitted(X.set_axis(["", "1"], axis=1)), X.set_axis(["", "1"], axis=1))


def test_without_the_extra_the_error_names_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sk_embed.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sk-embed\[onnx\]"'):
        importlib.import_module("sk_embed.onnx")


STEMS = np.array(["Bäcker", "Hotel ", "cafe", "museum", "École"], dtype=object)


def named(n_names=300):
    """Return a column of names, and a target that depends on how they begin."""
    names = np.array([f"{STEMS[i % 5]}{i}" for i in range(n_names)], dtype=object)
    names[:2] = ["x" * 300, "y" * 199]
    codes = RNG.integers(0, n_names, 3 * N_ROWS)
    ids = RNG.integers(1000, 1300, 3 * N_ROWS)
    y = codes % 5 + ids // 100 + RNG.normal(size=len(codes)) / 2
    return pd.DataFrame({"name": names[codes], "id": ids}), y


def test_names_of_unknown_categories_say_the_same():
    X, y = named()
    encoder = fitted(X, y, names=["name", "id"], crosses=[("name", "id")], counts=True)
    n_new = 300
    new = X[:n_new].copy()
    ends = ["", " 9", "\U0001f600", "ß", "\n\t", "\0", "x" * 190, "y" * 400, "I"]
    begins = RNG.choice([*STEMS, *(stem.upper() for stem in STEMS), ""], n_new)
    unknown = begins + RNG.choice(np.array(ends, dtype=object), n_new)
    new["name"] = np.where(RNG.random(n_new) < 0.5, unknown, new["name"])
    new.loc[new.index[:4], "name"] = [None, "", " ", "#"]
    new.loc[RNG.random(n_new) < 0.5, "id"] -= 700
    assert encoder.transform(new.assign(name="Hotel new"))[0, 0] != 0
    for rows in (new, new[:1], new[1:2], X[:5]):
        assert_same(encoder, rows, missing="?")
    graph = to_onnx(encoder)
    assert {used.domain for used in graph.opset_import} >= {"com.microsoft"}


def test_names_that_say_nothing_need_no_operator_of_onnxruntime():
    X, y = named()
    graph = to_onnx(fitted(X, y, names=False))
    assert {used.domain for used in graph.opset_import} <= {"", "ai.onnx.ml"}


def test_floats_that_have_names_are_refused():
    X, y = named()
    X["id"] = X["id"] / 2
    encoder = fitted(X, y, names=["id"])
    with pytest.raises(ValueError, match=r"Column 'id' gives unknown floats.*names=False"):
        to_onnx(encoder)


def test_integers_have_names_whatever_the_type_of_their_input():
    X, y = named()
    encoder = fitted(X[["id"]], y, names=["id"])
    for dtype in ("bool", "int16", "uint64"):
        new = pd.DataFrame({"id": held_by(np.dtype(dtype), [0, 1, 7, 1001, 10011, 999])})
        types = [("id", NUMBERS[dtype]([None, 1]))]
        assert encoder.transform(new).any()
        assert_same(encoder, new, skl2onnx.to_onnx(encoder, initial_types=types))
