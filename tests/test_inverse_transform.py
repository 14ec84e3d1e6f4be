"""From vectors back to categories."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

CITIES = np.array(["Bonn", "Kiel", "Ulm", "Jena"], dtype=object)


@pytest.fixture(scope="module")
def table():
    """A table of strings, integers, dates and a number, some of them missing."""
    rng = np.random.default_rng(0)
    n_rows = 600
    X = pd.DataFrame(
        {
            "city": rng.choice(CITIES, n_rows),
            "size": rng.normal(size=n_rows),
            "shop": rng.integers(2**60, 2**60 + 30, size=n_rows),
            "day": pd.Timestamp("2024-02-27")
            + pd.to_timedelta(rng.integers(9, size=600), "D"),
        },
        index=np.arange(n_rows)[::-1],
    )
    X.loc[X.index[:60], "city"] = None
    y = rng.normal(size=n_rows) + X["shop"].to_numpy() % 7 + (X["city"] == "Ulm")
    return X, y


@pytest.fixture(scope="module")
def encoder(table):
    encoder = EmbeddingEncoder(
        categorical_features=["city", "shop", "day"],
        remainder="passthrough",
        random_state=0,
    )
    return encoder.fit(*table)


def test_an_array_comes_back_as_an_array_of_the_same_values(encoder, table):
    X, _ = table
    back = encoder.inverse_transform(encoder.transform(X))
    assert isinstance(back, np.ndarray)
    assert back.shape == X.shape
    assert back[:, 2].tolist() == X["shop"].tolist()
    assert back[:, 1].tolist() == X["size"].tolist()
    assert back[:, 3].tolist() == X["day"].tolist()
    is_missing = X["city"].isna().to_numpy()
    assert all(isinstance(city, float) and np.isnan(city) for city in back[is_missing, 0])
    assert (back[~is_missing, 0] == X["city"][~is_missing]).all()


def test_a_pandas_frame_comes_back_with_names_index_and_dtypes(encoder, table):
    X, _ = table
    encoded = encoder.transform(X)
    names = encoder.get_feature_names_out()
    frame = pd.DataFrame(encoded, columns=names, index=X.index)
    back = encoder.inverse_transform(frame)
    expected = X.astype({"city": object}).fillna({"city": np.nan})
    pd.testing.assert_frame_equal(back.astype({"day": X["day"].dtype}), expected)
    assert back["day"].dtype.kind == "M"


def test_set_output_frames_come_back_with_context_in_its_own_dtype(table):
    X, y = table
    X = X.assign(size=(9 * X["size"]).round().astype("Int8"))
    encoder = EmbeddingEncoder(
        categorical_features=["city", "shop", "day"],
        remainder="passthrough",
        random_state=0,
    )
    encoder.set_output(transform="pandas").fit(X, y)
    back = encoder.inverse_transform(encoder.transform(X))
    pd.testing.assert_series_equal(back["size"], X["size"])


def test_a_polars_frame_comes_back_as_one(table):
    X, y = table
    X = pl.from_pandas(X.drop(columns="day").reset_index(drop=True))
    encoder = EmbeddingEncoder(
        categorical_features=["city", "shop"], remainder="passthrough", random_state=0
    )
    encoder.set_output(transform="polars").fit(X, y)
    back = encoder.inverse_transform(encoder.transform(X))
    assert isinstance(back, pl.DataFrame)
    assert back.equals(X)


def test_polars_dates_flags_and_gaps_come_back():
    rng = np.random.default_rng(0)
    days = [dt.date(2024, 2, 27 + int(day)) for day in rng.integers(3, size=300)]
    X = pl.DataFrame(
        {
            "day": days,
            "flag": rng.random(300) < 0.5,
            "size": pl.Series(rng.choice([0.5, 2.0, np.nan], 300)).fill_nan(None),
            "kind": pl.Series(rng.choice(["a", "b"], 300)).cast(pl.Enum(["a", "b"])),
        }
    )
    encoder = EmbeddingEncoder(random_state=0).set_output(transform="polars")
    encoder.fit(X, rng.normal(size=300))
    back = encoder.inverse_transform(encoder.transform(X))
    expected = X.with_columns(
        pl.col("day").cast(pl.Datetime("ms")), pl.col("kind").cast(str)
    )
    assert back.equals(expected)


def test_dropped_context_is_not_invented(table):
    X, y = table
    encoder = EmbeddingEncoder(categorical_features=["city", "shop", "day"], random_state=0)
    back = encoder.fit(X, y).inverse_transform(encoder.transform(X))
    assert back.shape == (len(X), 3)
    assert back[:, 1].tolist() == X["shop"].tolist()


def test_columns_of_one_dtype_keep_it():
    rng = np.random.default_rng(0)
    X = rng.integers(9, size=(500, 3))
    encoder = EmbeddingEncoder(random_state=0).fit(X, rng.normal(size=500) + X[:, 0])
    back = encoder.inverse_transform(encoder.transform(X))
    np.testing.assert_array_equal(back, X, strict=True)


def test_unknown_comes_back_as_none_and_missing_as_nan(encoder, table):
    new = table[0].head(2).assign(city=["Rome", None], shop=[5, 2**60])
    back = encoder.inverse_transform(encoder.transform(new))
    assert back[0, 0] is None
    assert np.isnan(back[1, 0])
    assert back[:, 2].tolist() == [None, 2**60]


def test_unknown_dates_leave_known_ones_dates(encoder, table):
    new = table[0].head(2).assign(day=[pd.Timestamp("1999-01-01"), table[0]["day"].iloc[1]])
    back = encoder.inverse_transform(encoder.transform(new))
    assert back[:, 3].tolist() == [None, table[0]["day"].iloc[1]]


def test_under_error_nothing_comes_back_as_unknown(table):
    X, y = table
    encoder = EmbeddingEncoder(handle_unknown="error", random_state=0).fit(X[["city"]], y)
    back = encoder.inverse_transform(np.zeros((1, sum(encoder.n_components_))))
    assert pd.isna(back[0, 0]) is True or back[0, 0] in CITIES
    assert back[0, 0] is not None


def test_of_categories_that_share_a_vector_the_most_frequent_comes_back():
    X = pd.DataFrame({"item": ["a"] * 200 + ["b"] * 150 + ["d"] * 3 + ["c"] * 5})
    y = X["item"].map({"a": 0.0, "b": 3.0, "c": 9.0, "d": 9.0})
    encoder = EmbeddingEncoder(min_frequency=10, random_state=0).fit(X, y)
    encoded = encoder.transform(pd.DataFrame({"item": ["c", "d"]}))
    assert encoder.inverse_transform(encoded).ravel().tolist() == ["c", "c"]


def test_the_only_category_of_a_column_comes_back_from_the_origin():
    X = pd.DataFrame({"constant": ["x"] * 100, "item": list("abcd") * 25})
    encoder = EmbeddingEncoder(random_state=0).fit(X, np.arange(100.0) % 4)
    back = encoder.inverse_transform(encoder.transform(X.head(2)))
    assert back[:, 0].tolist() == ["x", "x"]


def test_a_listed_category_without_rows_cannot_be_told_from_an_unknown_one():
    X = pd.DataFrame({"item": list("ab") * 50})
    encoder = EmbeddingEncoder(categories=[["a", "b", "z"]], random_state=0)
    encoder.fit(X, np.arange(100.0) % 2)
    back = encoder.inverse_transform(encoder.transform(pd.DataFrame({"item": ["z", "a"]})))
    assert back.ravel().tolist() == [None, "a"]


@pytest.mark.parametrize("main_effects", [True, False])
@pytest.mark.parametrize("n_classes", [None, 3])
def test_encoding_what_came_back_gives_the_same_vectors(main_effects, n_classes):
    X, y = make_categorical(
        3_000, n_categories=(40, 200), imbalance=1.0, n_classes=n_classes, random_state=0
    )
    encoder = EmbeddingEncoder(
        main_effects=main_effects, max_categories=60, random_state=0
    ).fit(X, y)
    encoded = encoder.transform(X)
    again = encoder.transform(
        pd.DataFrame(encoder.inverse_transform(encoded), columns=X.columns)
    )
    np.testing.assert_array_equal(again, encoded)


def test_other_vectors_come_back_as_the_nearest_category(encoder):
    rng = np.random.default_rng(0)
    encoded = rng.normal(size=(50, sum(encoder.n_components_) + 1))
    back = encoder.inverse_transform(encoded)
    vectors = encoded[:, : encoder.n_components_[0]]
    places = np.vstack([encoder.embeddings_[0], np.zeros(vectors.shape[1])])
    nearest = np.linalg.norm(vectors[:, None] - places, axis=2).argmin(axis=1)
    expected = np.append(encoder.categories_[0], None)[nearest]
    assert pd.Series(back[:, 0]).isna().equals(pd.Series(expected).isna())
    same = pd.notna(expected)
    assert (back[same, 0] == expected[same]).all()


def test_many_rows_are_asked_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(300, size=(2_500, 1))
    encoder = EmbeddingEncoder(n_components=3, random_state=0).fit(
        X, rng.normal(size=2_500)
    )
    monkeypatch.setattr("sk_embed._nearest._CHUNK", 1_000)
    np.testing.assert_array_equal(encoder.inverse_transform(encoder.transform(X)), X)


def test_the_input_is_not_modified(encoder, table):
    encoded = encoder.transform(table[0])
    before = encoded.copy()
    encoded.flags.writeable = False
    encoder.inverse_transform(encoded)
    np.testing.assert_array_equal(encoded, before)


def wrong_names(encoded, names):
    return pd.DataFrame(encoded, columns=[*names[1:], names[0]])


def too_few(encoded, names):
    return encoded[:, 1:]


def not_finite(encoded, names):
    encoded[3, 0] = np.nan
    return encoded


def not_numbers(encoded, names):
    encoded = encoded.astype(object)
    encoded[3, 0] = "much"
    return encoded


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_names, r"Column 0 of X is '\w+', but transform gives 'city_effect'"),
        (too_few, r"X has \d+ columns, but transform gives \d+"),
        (not_finite, "The vector of column 'city' in row 3 is not finite"),
        (not_numbers, "The vectors of column 'city' are not numbers"),
    ],
)
def test_what_transform_does_not_give_is_one_clear_line(encoder, table, spoil, words):
    encoded = spoil(encoder.transform(table[0]), encoder.get_feature_names_out())
    with pytest.raises(ValueError, match=words) as raised:
        encoder.inverse_transform(encoded)
    assert "\n" not in str(raised.value)
