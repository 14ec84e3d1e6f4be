"""What benchmarks do with scores and splits; they themselves run elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def scores_of(values, encoder="Embedding"):
    """Return lines of encoders.csv; ``values`` are scores by table and split."""
    return pd.DataFrame(
        {
            "table": table,
            "rows": 100,
            "split_by": "random",
            "draw": 0,
            "split": split,
            "encoder": encoder,
            "model": "boosting",
            "score": score,
        }
        for table, scores in values.items()
        for split, score in enumerate(scores)
    )


def part_of(n_rows, **where):
    import _tables

    frame = pd.DataFrame({"x": np.arange(n_rows)})
    return _tables.Part(frame, frame, np.arange(n_rows), **where)


def test_the_standard_error_is_that_of_the_tables_means():
    import _report

    table = np.repeat(["a", "b", "c"], 2)
    differences = pd.Series([0.0, 0.2, 0.2, 0.4, 0.2, 0.6], pd.Index(table, name="table"))
    mean = _report.mean_difference(differences)
    assert mean.mean == pytest.approx(0.8 / 3)
    assert mean.over_tables == pytest.approx(np.std([0.1, 0.3, 0.4], ddof=1) / np.sqrt(3))
    assert mean.over_splits == pytest.approx(np.sqrt(0.01 + 0.01 + 0.04) / 3)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"a": 0.010, "b": 0.012, "c": 0.011}, "gain"),
        ({"a": -0.010, "b": -0.012, "c": -0.011}, "loss"),
        ({"a": 0.030, "b": -0.020, "c": 0.005}, "within noise"),
    ],
)
def test_a_change_below_two_standard_errors_is_not_a_gain(change, verdict):
    import _report

    before = scores_of({table: [0.5, 0.6] for table in change})
    after = scores_of({table: [0.5 + c, 0.6 + c] for table, c in change.items()})
    assert _report.changes(before, after, "Embedding").loc["boosting", "verdict"] == verdict


def test_a_change_that_splits_disagree_on_is_noise_though_tables_agree():
    import _report

    before = scores_of({"a": [0.5, 0.5], "b": [0.5, 0.5]})
    after = scores_of({"a": [0.4, 0.62], "b": [0.62, 0.4]})
    assert (
        _report.changes(before, after, "Embedding").loc["all", "verdict"] == "within noise"
    )


def test_margins_are_to_the_encoder_that_is_best_in_the_mean():
    import _report

    scores = pd.concat(
        [
            scores_of({"a": [0.5, 0.7]}),
            scores_of({"a": [0.6, 0.5]}, "Target"),
            scores_of({"a": [0.3, 0.7]}, "OneHot"),
            scores_of({"a": [0.9, 0.9]}, "in-sample"),
        ]
    )
    np.testing.assert_allclose(_report.margins(scores), [-0.1, 0.2])


def test_an_encoder_that_lacks_splits_is_not_the_best_other():
    import _report

    ours, target = scores_of({"a": [0.5, 0.7]}), scores_of({"a": [0.4, 0.6]}, "Target")
    scores = pd.concat([ours, target, scores_of({"a": [0.9]}, "OneHot")])
    np.testing.assert_allclose(_report.margins(scores), [0.1, 0.1])
    assert _report.means_of_cells(scores)["best other"].tolist() == ["Target"]
    # Beside ours alone it is compared on the split that it has.
    assert _report.against_each(scores).loc["OneHot", "boosting"].mean == pytest.approx(
        -0.4
    )


def test_means_are_of_the_splits_on_which_ours_is_measured():
    import _report

    ours, other = scores_of({"a": [0.5]}), scores_of({"a": [0.4, 0.9]}, "Target")
    means = _report.means_of_cells(pd.concat([ours, other]))
    assert means["Target"].tolist() == [0.4]
    assert means["margin"].tolist() == pytest.approx([0.1])


def test_a_table_on_which_no_other_encoder_is_measured_has_no_margin():
    import _report

    ours, other = scores_of({"a": [0.5], "b": [0.6]}), scores_of({"a": [0.4]}, "Target")
    means = _report.means_of_cells(pd.concat([ours, other]))
    assert means["Embedding"].tolist() == [0.5, 0.6]
    np.testing.assert_allclose(means["margin"], [0.1, np.nan])
    assert len(_report.margins(pd.concat([ours, other]))) == 1


def test_an_inner_split_by_time_validates_on_the_last_fifth():
    import _tables

    positions = np.random.default_rng(0).permutation(50)
    inner, validation = _tables.inner_split(part_of(50, positions=positions), 0)
    assert inner.positions.max() == 39
    assert sorted(validation.positions) == list(range(40, 50))


def test_an_inner_split_by_group_keeps_groups_apart():
    import _tables

    groups = np.arange(60) % 10
    inner, validation = _tables.inner_split(part_of(60, groups=groups), 0)
    assert not set(inner.groups) & set(validation.groups)
    assert len(inner.y) + len(validation.y) == 60


@pytest.mark.parametrize("split_by", ["random", "group", "time"])
def test_more_splits_keep_those_that_few_have(split_by):
    import _tables

    x = pd.DataFrame({"x": np.arange(80.0)})
    column = None if split_by == "random" else pd.Series(np.arange(80) // 4)
    table = _tables.Table("t", "regression", x, x, np.arange(80), split_by, column)
    few, many = (list(_tables.splits(table, n)) for n in (1, 3))
    for part, same in zip(few[0], many[0], strict=True):
        np.testing.assert_array_equal(part.y, same.y)


def test_results_that_are_measured_again_leave_other_conditions_alone(tmp_path):
    import _records

    path = tmp_path / "scores.csv"
    records = _records.Records(path, ["table", "encoder"], ["score"])
    for key in (("a", "x"), ("a", "y"), ("b", "x")):
        records.add(key, [{"score": 0.5}])
    records.drop(["table"], [("a",)], ["x"])
    again = _records.Records(path, ["table", "encoder"], ["score"])
    for state in (records, again):
        assert ("a", "x") not in state
        assert ("a", "y") in state
        assert ("b", "x") in state


def test_results_are_not_appended_to_other_columns(tmp_path):
    import _records

    path = tmp_path / "scores.csv"
    path.write_text("encoder,score,table\n")
    with pytest.raises(ValueError, match="has the columns"):
        _records.Records(path, ["table", "encoder"], ["score"])


def test_the_page_and_the_readme_repeat_the_files_of_results():
    import page

    for name, text in page.fragments().items():
        assert (page.TABLES / f"{name}.inc").read_text() == text, name
    for name, text in page.reports().items():
        assert (page.RESULTS / f"{name}.md").read_text() == text, name
    readme = page.README.read_text()
    assert page.in_readme(readme, page.readme_table()) == readme


def test_spread_over_seeds_is_apart_from_that_over_splits():
    from _report import spread_over_seeds

    # Two splits, of which one is .2 above the other, and three seeds that differ by .01.
    first = pd.concat(
        scores_of({"a": [0.5 + seed, 0.7 + seed]}) for seed in (0, 0.01, 0.02)
    )
    (table,) = spread_over_seeds(first).itertuples(index=False)
    assert table == pytest.approx((0.61, 0.01, 0.2 / np.sqrt(2)))


def test_rules_of_cross_fitting_are_compared_cell_by_cell():
    from _report import all_rows_means

    lines = {
        "table": ["one", "one", "two", "two"],
        "rows": 60_000,
        "split_by": "random",
        "model": "boosting",
        "rule": ["auto", "below 30"] * 2,
        "score": [0.5, 0.4, 0.9, 0.6],
    }
    (line,) = all_rows_means(pd.DataFrame(lines)).itertuples()
    assert line.mean == pytest.approx(0.2)
    assert line.cells == 2
