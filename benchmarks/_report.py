"""From scores to tables: means, paired differences, and what noise they have.

Differences are taken between scores of the same table, rows and split. A table's mean is
one number, so that the standard error of the mean over tables holds what tables differ by
as well as the noise of their splits. The standard error over splits tells the noise of the
same mean on these tables alone. A mean within two of the larger is not called a gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from _tables import UNTOLD

OURS = "Embedding"
# How rivals with this encoder before their trees begin.
_OURS_BEFORE = "Embedding + "
# Ours as well: what leaking the target costs.
LEAKING = "in-sample"
MODELS = ("boosting", "forest", "linear", "neighbors")
# Differences of less are not counted as below.
TOLERANCE = 0.003
# Test folds of the publication.
N_FOLDS = 5
_CELL = ["table", "rows", "split_by", "model"]
_PAIR = ["draw", "split"]


class Mean(NamedTuple):
    """A mean difference, with its standard errors over tables and over splits."""

    mean: float
    over_tables: float
    over_splits: float
    n_tables: int
    n_ahead: int

    @property
    def error(self) -> float:
        """The larger of the standard errors that are known."""
        return float(np.nanmax([self.over_tables, self.over_splits, 0.0]))

    @property
    def verdict(self) -> str:
        """Whether the mean is further from zero than two standard errors."""
        if abs(self.mean) <= 2 * self.error or not self.error:
            return "within noise"
        return "gain" if self.mean > 0 else "loss"

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.error:.4f}"


def mean_difference(differences: pd.Series) -> Mean:
    """Return the mean of paired differences, one for each table and split.

    Parameters
    ----------
    differences : Series
        Differences with the level ``table`` in their index.

    Returns
    -------
    mean : Mean
    """
    tables = differences.groupby(level="table").agg(["mean", "var", "count"])
    n_tables = len(tables)
    over_tables = tables["mean"].std() / np.sqrt(n_tables)
    # A table of one split says nothing about the noise of splits.
    over_splits = np.sqrt((tables["var"] / tables["count"]).sum(skipna=False)) / n_tables
    n_ahead = int((tables["mean"] > 0).sum())
    return Mean(tables["mean"].mean(), over_tables, over_splits, n_tables, n_ahead)


def of_catalog(scores: pd.DataFrame) -> pd.DataFrame:
    """Return each table's scores by the split of its catalog entry, groups told."""
    told = scores[scores["split_by"] != UNTOLD]
    by_column = told["split_by"] != "random"
    tables = told.loc[by_column, "table"].unique()
    return told[by_column | ~told["table"].isin(tables)]


def at_random(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of random splits."""
    return scores[scores["split_by"] == "random"]


def by_encoder(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with a row for each table, model and split, a column for each encoder.

    Neighbours are the better of features as they are and standardised. Splits on which
    ours is not measured yet are left out, so that means are of the same splits.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``encoders.csv``.

    Returns
    -------
    wide : DataFrame
    """
    scores = scores[scores["model"] != "none"]
    variant = scores["model"]
    scores = scores.assign(model=variant.str.removesuffix(", scaled"), variant=variant)
    means = scores.groupby([*_CELL, "encoder", "variant"])["score"].mean()
    best = means.groupby([*_CELL, "encoder"]).idxmax().str[-1].rename("best")
    scores = scores.join(best, on=[*_CELL, "encoder"])
    scores = scores[scores["variant"] == scores["best"]]
    wide = scores.pivot_table("score", [*_CELL, *_PAIR], "encoder")
    return wide.dropna(subset=[OURS]) if OURS in wide else wide


def against_each(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean difference of ours to each other encoder, behind each model."""
    wide = by_encoder(scores)
    rows = {}
    for other in wide.columns.drop(OURS):
        differences = (wide[OURS] - wide[other]).dropna()
        rows[other] = {
            model: mean_difference(part) for model, part in _all_and_each(differences)
        }
    return pd.DataFrame(rows).T.reindex(columns=list(MODELS)).rename_axis("other")


def _of_all_splits(wide: pd.DataFrame) -> pd.DataFrame:
    """Return scores without those of encoders that lack some of a cell's splits.

    Means of other splits cannot be compared, and the best of them would be chance.
    """
    n_splits = wide.groupby(level=_CELL).transform("count")
    return wide.where(n_splits.eq(n_splits.max(axis=1), axis=0))


def margins(scores: pd.DataFrame) -> pd.Series:
    """Return the differences of ours to the encoder that is best in the cell's mean."""
    wide = _of_all_splits(by_encoder(scores))
    others = wide.drop(columns=[OURS, LEAKING], errors="ignore").dropna(how="all")
    wide = wide.loc[others.index]
    best = others.groupby(level=_CELL).mean().idxmax(axis=1)
    of_row = best.reindex(others.index.droplevel(_PAIR)).to_numpy()
    position = others.columns.get_indexer(of_row)
    scores_of_best = others.to_numpy()[np.arange(len(others)), position]
    return (wide[OURS] - scores_of_best).dropna()


def margins_by_model(scores: pd.DataFrame) -> pd.DataFrame:
    """Count the cells where ours is first, and average its margin to the best other."""
    differences = margins(scores)
    rows = {}
    for model, part in _all_and_each(differences):
        of_model = differences if model == "all" else part
        cells = of_model.groupby(level=_CELL).mean()
        rows[model] = {
            "cells": len(cells),
            "first": f"{(cells >= 0).mean():.0%}",
            f"below by more than {TOLERANCE}": int((cells < -TOLERANCE).sum()),
            "mean margin to the best other": mean_difference(part),
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def report_encoders(scores: pd.DataFrame) -> str:
    """Return the report of ``encoders.csv``.

    Parameters
    ----------
    scores : DataFrame
        One row for each table, draw, split, encoder and model.

    Returns
    -------
    text : str
        Markdown.
    """
    parts = ["# Scores"]
    for title, view in _views(scores):
        parts.append(f"## {title}")
        if {OURS} < set(view["encoder"]):
            parts += [
                markdown(margins_by_model(view)),
                "Mean difference to each other encoder, ± standard error:",
                markdown(against_each(view)),
            ]
        parts.append(markdown(means_of_cells(view)))
    if (scores["split_by"] == UNTOLD).any():
        parts += ["## Groups told and not", markdown(told_and_not(scores))]
    return "\n\n".join(parts) + "\n"


def means_of_cells(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores of each cell and encoder, and ours beside the best other."""
    wide = _of_all_splits(by_encoder(scores))
    means = wide.groupby(level=_CELL).mean()
    ours = [name for name in (LEAKING, OURS) if name in means]
    means = means[[*means.columns.drop(ours), *ours]]
    others = means.drop(columns=ours)
    if OURS in means and len(others.columns):
        differences = margins(scores).groupby(level=_CELL)
        means["best other"] = others.dropna(how="all").idxmax(axis=1)
        means["margin"] = differences.mean()
        means["± over splits"] = differences.sem()
    return means


def told_and_not(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores of tables split by group, with the groups told and not."""
    by_group = scores[scores["split_by"].isin(["group", UNTOLD])]
    means = by_encoder(by_group).groupby(level=_CELL).mean()
    untold = means[means.index.get_level_values("split_by") == UNTOLD]
    both = means.columns[untold.notna().any()]
    labels = {"group": "told", UNTOLD: "not told"}
    means = means[both].rename(index=labels, level="split_by").reset_index()
    return means.pivot_table(list(both), ["table", "rows", "model"], "split_by")


def changes(before: pd.DataFrame, after: pd.DataFrame, encoder: str) -> pd.DataFrame:
    """Return what changed behind an encoder from one run to another, with a verdict.

    Parameters
    ----------
    before, after : DataFrame
        Lines of two files ``encoders.csv``; scores of both are paired.
    encoder : str
        Name of the encoder.

    Returns
    -------
    table : DataFrame
        Mean changes behind each model, with their standard errors over tables and over
        splits.
    """
    old, new = (by_encoder(scores)[encoder] for scores in (before, after))
    differences = (new - old).dropna()
    rows = {}
    for model, part in _all_and_each(differences):
        mean = mean_difference(part)
        rows[model] = {
            "tables": mean.n_tables,
            "mean change": f"{mean.mean:+.4f}",
            "± over tables": f"{mean.over_tables:.4f}",
            "± over splits": f"{mean.over_splits:.4f}",
            "verdict": mean.verdict,
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def by_rival(scores: pd.DataFrame, value: str = "score") -> pd.DataFrame:
    """Return values with a row for each table and split, and a column for each rival."""
    keys = [*_CELL[:-1], *_PAIR]
    return scores.pivot_table(value, keys, "rival")


def against_models(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare what stands behind our encoder with each model that does without it.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``models.csv``.

    Returns
    -------
    table : DataFrame
        Tables where ours is ahead, mean differences, and geometric means over tables of
        our processor time as a multiple of the rival's.
    """
    wide, seconds = by_rival(scores), by_rival(scores, "seconds")
    is_ours = wide.columns.str.startswith(_OURS_BEFORE)
    rows = {}
    for ours in wide.columns[is_ours]:
        for rival in wide.columns[~is_ours]:
            difference = mean_difference((wide[ours] - wide[rival]).dropna())
            ratio = np.log(seconds[ours] / seconds[rival]).groupby(level="table").mean()
            rows[ours, rival] = {
                "tables ahead": f"{difference.n_ahead} of {difference.n_tables}",
                "mean difference": difference,
                "time": f"{np.exp(ratio.mean()):.2g} x",
            }
    return pd.DataFrame(rows).T.rename_axis(["ours", "against"])


def report_models(scores: pd.DataFrame) -> str:
    """Return the report of ``models.csv`` in Markdown."""
    parts = ["# Boosted trees behind an encoder, and with their own categories"]
    for title, view in _views(scores):
        parts.append(f"## {title}")
        if len(set(view["rival"].str.startswith(_OURS_BEFORE))) > 1:
            parts.append(markdown(against_models(view)))
        for value in ("score", "seconds", "trees"):
            means = by_rival(view, value).dropna().groupby(level=_CELL[:-1]).mean()
            shown = means if value == "score" else means.round().astype("Int64")
            parts += [f"Mean {value}:", markdown(shown)]
    return "\n\n".join(parts) + "\n"


def spread_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how far scores move from seed to seed, and from split to split.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``seeds.csv``.

    Returns
    -------
    table : DataFrame
        Mean scores, the standard deviation over seeds of a split, root mean square over
        splits, and the standard deviation over splits of the mean over seeds.
    """
    of_split = scores.groupby([*_CELL[:-1], *_PAIR])["score"].agg(["mean", "var"])
    by_table = of_split.groupby(level=_CELL[:-1])
    return pd.DataFrame(
        {
            "mean score": by_table["mean"].mean(),
            "± over seeds": np.sqrt(by_table["var"].mean()),
            "± over splits": by_table["mean"].std(),
        }
    )


def all_rows_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of both rules of cross-fitting, and their mean difference.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``all_rows.csv``.

    Returns
    -------
    table : DataFrame
        Mean scores of each table over splits, a row for each way of splitting, and the
        difference of "auto" to ``cross_fit_below=30``.
    """
    table = scores.pivot_table("score", _CELL, "rule").rename_axis(columns=None)
    table["difference"] = table["auto"] - table["below 30"]
    return table.reorder_levels(["model", *_CELL[:-1]]).sort_index()


def all_rows_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean difference of "auto" to ``cross_fit_below=30`` behind each model."""
    difference = all_rows_table(scores)["difference"]
    by_model = difference.groupby(level="model").agg(["mean", "sem", "count"])
    return by_model.rename(columns={"sem": "±", "count": "cells"})


def report_all_rows(scores: pd.DataFrame) -> str:
    """Return the report of ``all_rows.csv`` in Markdown."""
    tables = markdown(all_rows_table(scores)), markdown(all_rows_means(scores))
    return "\n\n".join(("# Two rules of cross-fitting on all rows", *tables)) + "\n"


def report_seeds(scores: pd.DataFrame) -> str:
    """Return the report of ``seeds.csv`` in Markdown."""
    n_seeds, n_splits = scores["seed"].nunique(), scores["split"].nunique()
    head = f"# Scores of boosted trees over {n_seeds} seeds, {n_splits} splits"
    return f"{head}\n\n{markdown(spread_over_seeds(scores))}\n"


def published_errors(scores: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return mean squared errors over the folds, a column for each table.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``published.csv``.
    published : DataFrame
        Errors that others published: columns model, table and mse.

    Returns
    -------
    table : DataFrame
        Published errors, then errors behind encoders, where all folds are measured.
    """
    theirs = published.pivot_table("mse", "model", "table", sort=False)
    theirs.index = theirs.index + " (published)"
    scores = scores.assign(model=scores["encoder"] + " + " + scores["model"])
    errors = scores.groupby(["model", "table"])["mse"].agg(["mean", "count"]).reset_index()
    # A mean of some folds is not to be compared with one of all.
    whole = errors[errors["count"] == N_FOLDS]
    means = whole.pivot_table("mean", "model", "table")
    return pd.concat([theirs, means]).rename_axis("model")


def report_published(scores: pd.DataFrame, published: pd.DataFrame) -> str:
    """Return the report of ``published.csv`` in Markdown."""
    errors = published_errors(scores, published).map(as_published)
    return f"# Mean squared errors on published folds\n\n{markdown(errors)}\n"


def as_published(error: float) -> str:
    """Return an error with as many digits as the publication has."""
    if pd.isna(error):
        return ""
    return f"{error:.4f}" if error > 0.05 else f"{error:.5f}"


def markdown(frame: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    head, rows = cells_of(frame)
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def cells_of(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table as text, its index first."""
    frame = frame.reset_index()
    head = [
        ", ".join(filter(None, name)) if isinstance(name, tuple) else str(name)
        for name in frame.columns
    ]
    return head, [[_text(v) for v in row] for row in frame.itertuples(index=False)]


def _text(value: object) -> str:
    if isinstance(value, Mean):
        return str(value)
    if pd.isna(value):
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _all_and_each(differences: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """Yield the differences of all models and of each; a split's models share its noise."""
    yield "all", differences.groupby(level=[*_CELL[:-1], *_PAIR]).mean()
    yield from differences.groupby(level="model")


def _views(scores: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the ways of splitting that were measured, each with its scores."""
    views = [
        ("Split by time or group where the catalog names a column for it", of_catalog),
        ("Split at random", at_random),
    ]
    chosen = [(title, choose(scores)) for title, choose in views]
    return [(title, view) for title, view in chosen if not view.empty]
