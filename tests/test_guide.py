"""The user guide's code on streams and other engines does what the guide says."""

from __future__ import annotations

import pickle
import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder

GUIDE = Path(__file__).parent.parent / "docs" / "user_guide.rst"


def code_of(label):
    """Return the blocks of Python in the section under a label."""
    section = GUIDE.read_text().split(f".. _{label}:\n")[1].split("\n.. _")[0]
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", section)
    return [textwrap.dedent(block) for block in blocks]


def run(code, **names):
    """Run a block, as if typed in, and return all names that are known then."""
    names["__name__"] = "__main__"
    exec(code, names)  # noqa: S102 - our own guide
    return names


def draw(n_rows=900):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "shop": rng.choice(["north", "south", "west"], n_rows),
            "product": rng.integers(20, size=n_rows),
            "price": rng.normal(size=n_rows),
        }
    )
    y = X["product"] % 7 + X["price"] * (X["shop"] == "west") + rng.normal(size=n_rows)
    return X, y.rename("sales")


def test_files_are_learned_as_their_chunks_are(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    X, y = draw()
    (tmp_path / "folder_of_parquet_files").mkdir()
    monkeypatch.chdir(tmp_path)
    chunks = [(X[:500], y[:500]), (X[500:], y[500:])]
    for number, (rows, target) in enumerate(chunks):
        path = f"folder_of_parquet_files/{number}.parquet"
        rows.assign(sales=target).to_parquet(path, index=False)
    learning, encoding = code_of("chunk-by-chunk")
    names = run(learning)
    encoder = names["encoder"]
    expected = EmbeddingEncoder(**encoder.get_params()).fit(X, y)
    assert_array_equal(encoder.transform(X), expected.transform(X))
    run(encoding, **names)
    encoded = [pd.read_parquet(f"encoded_{number}.parquet") for number in range(2)]
    rows = clone(expected).set_output(transform="pandas").fit_transform(X, y)
    assert [len(of_chunk) for of_chunk in encoded] == [500, 400]
    pd.testing.assert_frame_equal(pd.concat(encoded, ignore_index=True), rows)


# ------------------------------------------------------------------ other engines


@pytest.fixture
def fitted():
    X, y = draw()
    return EmbeddingEncoder(
        2, categorical_features=["shop", "product"], random_state=0
    ).fit(X, y)


class SparkFrame:
    """What the guide uses of a Spark frame, on pandas frames: a partition is a frame."""

    def __init__(self, partitions):
        self.partitions = partitions

    def select(self, *names):
        return SparkFrame([partition[list(names)] for partition in self.partitions])

    def mapInPandas(self, function, schema):  # noqa: N802 - Spark's name
        """Call the function, as a worker does, and hold the result against the schema."""
        names = re.findall(r"`?(\w+)`? (?:long|float)", schema)
        frames = list(function(iter(self.partitions)))
        assert all(frame.columns.tolist() == names for frame in frames)
        return pd.concat(frames)


def test_spark_encodes_partitions_as_the_encoder_does(fitted):
    X, _ = draw()
    expected = fitted.transform(X)
    rows = X.assign(id=np.arange(len(X)), more=0)
    spark = SparkFrame([rows[:10], rows[10:700], rows[700:]])
    code, _ = code_of("other-engines")
    travelled = pickle.loads(pickle.dumps(fitted))
    encoded = run(code, encoder=travelled, spark_frame=spark)["encoded"]
    assert_array_equal(encoded.pop("id"), np.arange(len(X)))
    assert_array_equal(encoded, expected)
    assert set(encoded.dtypes) == {np.dtype("float32")}


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_polars_encodes_batches_as_the_encoder_does(engine, fitted, tmp_path, monkeypatch):
    pl = pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    X, _ = draw(200_000)
    expected = fitted.transform(X)
    X.assign(id=np.arange(len(X)), more=0).to_parquet("rows.parquet", index=False)
    _, code = code_of("other-engines")
    encoded = run(code, encoder=fitted)["encoded"]
    written = pl.read_parquet("encoded.parquet").sort("id")
    assert_array_equal(written.drop("id"), expected)
    assert written.schema == encoded.collect_schema()
    # What is asked of the new columns is asked behind the function that makes them.
    is_asked = pl.col("shop_effect") > 0
    found = encoded.filter(is_asked).select("id", "product_0").collect(engine=engine)
    rows = np.flatnonzero(expected[:, 0] > 0)
    place = fitted.get_feature_names_out().tolist().index("product_0")
    assert 0 < len(rows) < len(X)
    assert_array_equal(found.sort("id"), np.column_stack([rows, expected[rows, place]]))


def test_polars_hands_over_batch_by_batch(fitted, tmp_path, monkeypatch):
    pl = pytest.importorskip("polars")
    if tuple(map(int, pl.__version__.split(".")[:2])) < (1, 31):
        pytest.skip("the streaming engine calls functions on all rows at once")
    monkeypatch.chdir(tmp_path)
    X, _ = draw(200_000)
    X.assign(id=0).to_parquet("rows.parquet", index=False, row_group_size=20_000)
    sizes = []
    transform = fitted.transform

    def counted(frame):
        sizes.append(len(frame))
        return transform(frame)

    monkeypatch.setattr(fitted, "transform", counted)
    _, code = code_of("other-engines")
    run(code, encoder=fitted)
    assert sum(sizes) == len(X)
    assert max(sizes) < len(X)


def test_the_graph_of_a_pipeline_predicts_what_the_pipeline_does(tmp_path, monkeypatch):
    pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    X, y = draw()
    encoder = EmbeddingEncoder(categorical_features=["shop", "product"], random_state=0)
    pipeline = make_pipeline(encoder, Ridge()).fit(X, y)
    monkeypatch.chdir(tmp_path)
    converting, asking = code_of("onnx")
    run(converting, pipeline=pipeline)
    names = run(asking)
    rows = pd.DataFrame({name: of[:, 0] for name, of in names["request"].items()})
    assert_allclose(names["predicted"][:, 0], pipeline.predict(rows), rtol=1e-5)
