"""The pictures: what they show, that it can be read, and that they are drawn at all."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical
from sk_embed.inspection import EmbeddingDisplay, LossCurveDisplay

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def plt():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def ax(plt):
    return plt.subplots(figsize=(8, 6), dpi=100, layout="constrained")[1]


@pytest.fixture(scope="module")
def encoder():
    X, y = make_categorical(
        8_000,
        n_categories=(150, 40),
        n_numeric=3,
        imbalance=0.9,
        missing=0.05,
        random_state=0,
    )
    encoder = EmbeddingEncoder(
        n_components=3, categorical_features="from_dtype", random_state=0
    )
    return encoder.fit(X, y)


def picture(display):
    """Return the pixels of the picture, as it would be saved."""
    buffer = io.BytesIO()
    display.figure_.savefig(buffer, format="rgba")
    width, height = display.figure_.canvas.get_width_height()
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4)


def boxes(display):
    """Return the labels' boxes, as they are drawn."""
    display.figure_.draw_without_rendering()
    renderer = display.figure_.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in display.labels_]


@pytest.mark.slow
def test_points_are_the_first_two_axes_and_their_areas_the_counts(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    table = encoder.to_frame("cat_0").sort_values("count", ascending=False, kind="stable")
    np.testing.assert_allclose(
        display.scatter_.get_offsets(), table[["cat_0_0", "cat_0_1"]], rtol=1e-6
    )
    areas, counts = display.scatter_.get_sizes(), table["count"].to_numpy()
    assert areas[0] / areas[9] == pytest.approx(counts[0] / counts[9])
    assert display.ax_ is ax
    assert display.figure_ is ax.get_figure()


def test_axes_say_their_share_of_variance_and_are_of_one_scale(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    share = encoder.explained_variance_ratio_[0][1]
    assert ax.get_ylabel() == f"cat_0_1 ({share:.0%} of the vectors' variance)"
    picture(display)
    origin, right, up = ax.transData.transform([(0, 0), (1, 0), (0, 1)])
    assert right[0] - origin[0] == pytest.approx(up[1] - origin[1])


def test_the_origin_is_marked_as_unknown(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    assert display.origin_.get_xydata().tolist() == [[0, 0]]
    assert display.labels_[0].get_text() == "unknown"
    assert display.labels_[0].xy == pytest.approx((0, 0))


@pytest.mark.parametrize("size", [(8, 6), (4, 3)])
@pytest.mark.parametrize("feature", ["cat_0", "cat_1", "noise_0"])
def test_labels_overlap_neither_each_other_nor_the_edge(encoder, plt, feature, size):
    _, ax = plt.subplots(figsize=size, dpi=100, layout="constrained")
    display = EmbeddingDisplay.from_estimator(encoder, feature, ax=ax)
    drawn = boxes(display)
    inside = ax.get_window_extent()
    assert len(drawn) > 5
    for first, second in combinations(drawn, 2):
        assert not first.overlaps(second)
    for box in drawn:
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
        assert inside.y0 <= box.y0
        assert box.y1 <= inside.y1


def test_nothing_is_written_over_the_legend(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    drawn = boxes(display)
    legend = ax.get_legend().get_window_extent()
    assert not any(box.overlaps(legend) for box in drawn)


def test_labels_go_to_the_most_frequent_categories(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", max_labels=10, ax=ax)
    counts = encoder.to_frame("cat_0")["count"].sort_values(ascending=False)
    labelled = {text.get_text() for text in display.labels_[1:]}
    frequent = {"missing" if pd.isna(c) else c for c in counts.index[:10]}
    assert labelled <= frequent
    assert len(labelled) > 5


def test_missing_is_called_missing(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    assert "missing" in display.points.index


def test_large_vocabularies_are_thinned_by_count(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", max_points=20, ax=ax)
    counts = encoder.to_frame("cat_0")["count"].sort_values(ascending=False)
    assert display.points["count"].tolist() == counts.iloc[:20].tolist()
    assert ax.get_title() == f"cat_0: the 20 most frequent of {len(counts)}"


def test_infrequent_categories_are_one_point(ax):
    X, y = make_categorical(2_000, n_categories=(60, 5), imbalance=1.5, random_state=0)
    encoder = EmbeddingEncoder(2, min_frequency=30, random_state=0).fit(X, y)
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    infrequent = encoder.infrequent_categories_[0]
    label = f"{len(infrequent)} infrequent"
    assert display.points.index.tolist().count(label) == 1
    assert display.points.loc[label, "count"] == X["cat_0"].isin(infrequent).sum()


def fitted(n_components, n_classes=None):
    X, y = make_categorical(1_000, n_categories=(9, 9), n_classes=n_classes, random_state=0)
    return EmbeddingEncoder(n_components, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("n_components", "n_classes", "columns"),
    [
        (2, None, ["cat_0_0", "cat_0_1"]),
        (1, None, ["cat_0_effect", "cat_0_0"]),
        (0, None, ["cat_0_effect", "count"]),
        (0, 3, ["cat_0_effect_0", "cat_0_effect_1"]),
    ],
    ids=["two axes", "one axis", "no axis", "no axis, classes"],
)
def test_narrow_tables_are_drawn_by_main_effects_and_counts(
    ax, n_components, n_classes, columns
):
    encoder = fitted(n_components, n_classes)
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", ax=ax)
    assert display.points.columns[:2].tolist() == columns
    assert len(display.labels_) > 5
    assert (ax.get_yscale() == "log") == (columns[1] == "count")
    assert (picture(display)[..., :3] < 250).any(axis=2).mean() > 0.005


@pytest.mark.parametrize(
    ("counts", "sizes"), [([1, 2, 9], ["1", "2", "9"]), ([5, 5, 5], None), ([40], None)]
)
def test_the_legend_tells_counts_apart_where_they_differ(ax, counts, sizes):
    X = pd.DataFrame({"item": np.repeat(np.arange(len(counts)), counts)})
    X["other"] = np.arange(len(X)) % 2
    encoder = EmbeddingEncoder(0, random_state=0).fit(X, np.arange(len(X)) * 1.5)
    EmbeddingDisplay.from_estimator(encoder, "item", ax=ax)
    legend = ax.get_legend()
    shown = None if legend is None else [text.get_text() for text in legend.get_texts()]
    assert shown == sizes
    assert (
        ax.get_title() == f"item: {len(counts)} categor{'y' if len(counts) == 1 else 'ies'}"
    )


def test_columns_may_be_chosen(encoder, ax):
    columns = ["cat_0_effect", "cat_0_2"]
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0", columns=columns, ax=ax)
    assert display.points.columns[:2].tolist() == columns
    assert ax.get_xlabel() == "cat_0_effect (main effect)"


@pytest.mark.parametrize("columns", [["cat_0_0"], ["cat_0_0", "cat_1_0"]])
def test_columns_that_are_not_there_are_one_clear_line(encoder, columns):
    with pytest.raises(ValueError, match="columns must be two of") as raised:
        EmbeddingDisplay.from_estimator(encoder, "cat_0", columns=columns)
    assert "\n" not in str(raised.value)


def test_categories_of_any_kind_have_labels(plt):
    values = ["$x^2$", "two\nlines", "w" * 90, 7, 2.5, True, ("a", 1), None]
    X = pd.DataFrame({"item": pd.Series(values * 40, dtype=object)})
    encoder = EmbeddingEncoder(random_state=0).fit(X, np.arange(320.0) % 8)
    display = EmbeddingDisplay.from_estimator(encoder, "item")
    picture(display)
    assert set(display.points.index) > {"$x^2$", "two lines", "w" * 23 + "…", "missing"}


def test_a_picture_is_drawn_again_elsewhere(encoder, ax):
    display = EmbeddingDisplay.from_estimator(encoder, "cat_0")
    assert display.plot(ax=ax, color="black").ax_ is ax
    assert display.scatter_.get_facecolor()[0, :3].tolist() == [0, 0, 0]


def test_the_loss_curve_is_that_of_the_encoder(encoder, ax):
    display = LossCurveDisplay.from_estimator(encoder, ax=ax, linewidth=3)
    assert display.line_.get_ydata().tolist() == encoder.loss_curve_
    assert display.line_.get_xdata().tolist() == list(range(1, encoder.n_iter_ + 1))
    assert display.line_.get_linewidth() == 3
    assert ax.get_xlabel() == "Epoch"
    assert (picture(display)[..., :3] < 250).any(axis=2).mean() > 0.005


def test_epochs_are_whole_numbers(ax):
    LossCurveDisplay([0.5, 0.4]).plot(ax=ax)
    ax.get_figure().draw_without_rendering()
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_an_encoder_that_is_not_fitted_is_not_drawn():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(EmbeddingEncoder())
    with pytest.raises(NotFittedError):
        EmbeddingDisplay.from_estimator(EmbeddingEncoder(), "a")


@pytest.mark.parametrize(
    "draw",
    [
        LossCurveDisplay.from_estimator,
        lambda encoder: EmbeddingDisplay.from_estimator(encoder, "cat_0"),
    ],
)
def test_without_matplotlib_the_error_names_the_extra(encoder, monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'matplotlib: pip install "sk-embed\[plot\]"'):
        draw(encoder)


@pytest.mark.slow
def test_matplotlib_is_imported_only_when_used():
    code = "import sys, sk_embed.inspection; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- text is no markup

NAMES = [
    "$price$",
    "price in $ and cost in $",
    r"$\frac{1}$",
    r"\$5",
    "a_b^c",
    "_hidden",
    "__",
    r"\textbf{x}",
    "100 % & more #1 {x} ~",
    "$",
]


@pytest.mark.parametrize("usetex", [False, True], ids=["", "usetex"])
@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_the_data_is_markup(name, usetex, ax, plt):
    values = np.array([name, f"{name} {name}", "other"], dtype=object)
    codes = np.arange(300) % 3
    rows = np.column_stack([values[codes], np.where(codes > 0, "a", "b")]).astype(object)
    X = pd.DataFrame(rows, columns=np.array([name, f"{name}2"], dtype=object))
    y = pd.DataFrame({f"{name} out": codes + 0.5, f"{name} off": codes % 2 - 0.5})
    encoder = EmbeddingEncoder(0, max_iter=1, random_state=0).fit(X, y)
    ax.set(xticks=[], yticks=[])  # numbers, which TeX may write
    with plt.rc_context({"text.usetex": usetex}):
        display = EmbeddingDisplay.from_estimator(encoder, name, ax=ax)
        assert picture(display).any()
    assert ax.get_title() == f"{name}: 3 categories"
    assert ax.get_xlabel() == f"{name}_effect_{name} out (main effect)"
    assert ax.get_ylabel() == f"{name}_effect_{name} off (main effect)"
    assert {text.get_text() for text in display.labels_} & set(display.points.index)


def test_half_a_surrogate_pair_is_drawn_as_a_replacement(ax):
    index = pd.Index(["\ud83d", "b"], dtype=object)
    points = pd.DataFrame({"x": [0.5, 1], "y": [1.0, 2], "count": [5, 5]}).set_index(index)
    display = EmbeddingDisplay(points, axis_labels=("\udfff", "y"), title="\ud800 of")
    assert picture(display.plot(ax)).any()
    assert ax.get_title() == "\N{REPLACEMENT CHARACTER} of"


def test_names_that_begin_with_an_underscore_are_in_the_legend_as_well(encoder, ax):
    X = pd.DataFrame({"_x": np.repeat(["_a", "_b", "_c"], [100, 30, 5])})
    y = np.random.default_rng(0).normal(size=len(X))
    fitted = EmbeddingEncoder(0, max_iter=1, random_state=0).fit(X, y)
    display = EmbeddingDisplay.from_estimator(fitted, "_x", ax=ax)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["6", "20", "100"]
    assert {text.get_text() for text in display.labels_} >= {"_a", "_b"}


@pytest.mark.parametrize("usetex", [False, True], ids=["", "usetex"])
def test_no_text_of_the_loss_curve_is_markup(encoder, usetex, plt):
    with plt.rc_context({"text.usetex": usetex}):
        display = LossCurveDisplay.from_estimator(encoder, ax=plt.subplots()[1])
    for text in (display.ax_.xaxis.label, display.ax_.yaxis.label):
        assert not text.get_parse_math()
        assert not text.get_usetex()
