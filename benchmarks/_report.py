"""From scores to a Markdown report."""

from __future__ import annotations

import pandas as pd

OURS = "Embedding"
# Ours as well: what leaking the target costs.
LEAKING = "in-sample"
_TOLERANCE = 0.003
_CELL = ["table", "rows", "split_by", "model"]


def report(scores: pd.DataFrame) -> str:
    """Return the report: a summary, the means over the splits, and their spreads.

    Parameters
    ----------
    scores : DataFrame
        One row for each table, split, encoder and model, as in ``scores.csv``.

    Returns
    -------
    text : str
    """
    grouped = scores[scores["model"] != "none"].groupby([*_CELL, "encoder"])["score"]
    cells = grouped.agg(["mean", "std"]).reset_index()
    # For neighbours the better of features as they are and standardised.
    cells["model"] = cells["model"].str.removesuffix(", scaled")
    best = cells.sort_values("mean").groupby([*_CELL, "encoder"]).last()
    best = best.reset_index()
    means = best.pivot_table("mean", _CELL, "encoder")
    spreads = best.pivot_table("std", _CELL, "encoder")
    order = [*means.columns.difference([LEAKING, OURS]), LEAKING, OURS]
    order = [name for name in order if name in means]
    parts = ["# Scores"]
    shown = means[order]
    if set(order) - {OURS, LEAKING} and OURS in means:
        margins = _margins(means)
        parts.append(_summary(margins))
        shown = shown.join(margins)
    parts += ["## Means over the splits", _markdown(shown)]
    parts += ["## Standard deviations over the splits", _markdown(spreads[order])]
    return "\n\n".join(parts) + "\n"


def _margins(means: pd.DataFrame) -> pd.DataFrame:
    others = means.drop(columns=[OURS, LEAKING], errors="ignore")
    margins = {
        "best other": others.idxmax(axis=1),
        "margin": means[OURS] - others.max(axis=1),
    }
    if "Target" in others:
        margins["over Target"] = means[OURS] - others["Target"]
    return pd.DataFrame(margins)


def _summary(margins: pd.DataFrame) -> str:
    """Count the cells, of all and of each model."""
    groups = [("all", margins), *margins.groupby(level="model")]
    rows = {
        f"{name} ({len(part)} cells)": {
            "first": f"{(part['margin'] >= 0).mean():.0%}",
            f"below by more than {_TOLERANCE}": str(
                int((part["margin"] < -_TOLERANCE).sum())
            ),
            **part.drop(columns="best other").mean().add_prefix("mean ").to_dict(),
        }
        for name, part in groups
    }
    return _markdown(pd.DataFrame(rows).T.rename_axis("model"))


def _markdown(frame: pd.DataFrame) -> str:
    frame = frame.reset_index()
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |"]
    lines.append("|" + " --- |" * len(frame.columns))
    for row in frame.itertuples(index=False):
        cells = (
            "" if pd.isna(v) else f"{v:.4f}" if isinstance(v, float) else str(v)
            for v in row
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
