"""The picture of margins: a dot for each table, a line of dots for each model."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _report import OURS, by_encoder, margins, mean_difference
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

# Margins up to this size are on a linear scale, larger ones on a logarithmic one.
_LINEAR = 0.01
_TICKS = (-0.1, -0.03, -0.01, 0, 0.01, 0.03, 0.1, 0.3)
# Dots nearer than this share of the axis are drawn above each other.
_NEAR = 0.025
_BLUE, _RED = "#2a6fb0", "#b8432f"


def draw_margins(scores: pd.DataFrame, model_names: dict[str, str], path: Path) -> None:
    """Draw margins to TargetEncoder and to the best other encoder of each table.

    Parameters
    ----------
    scores : DataFrame
        Lines of ``encoders.csv`` of one kind of split.
    model_names : dict
        Labels of the models, in the order of the rows.
    path : Path
        Picture to write.
    """
    wide = by_encoder(scores)
    panels = {
        "minus TargetEncoder": (wide[OURS] - wide["Target"]).dropna(),
        "minus the best other encoder of each table": margins(scores),
    }
    settings = {"svg.hashsalt": "sk-embed", "font.size": 9, "svg.fonttype": "path"}
    with mpl.rc_context(settings):
        figure, axes = plt.subplots(2, figsize=(7, 5.4), layout="constrained")
        for ax, (title, differences) in zip(axes, panels.items(), strict=True):
            _draw_panel(ax, differences, model_names)
            ax.set_title(f"Score behind EmbeddingEncoder {title}", loc="left", fontsize=10)
        axes[-1].set_xlabel("R², area under the ROC curve, or accuracy")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _draw_panel(ax: Axes, differences: pd.Series, model_names: dict[str, str]) -> None:
    ax.set_xscale("symlog", linthresh=_LINEAR)
    ax.set_xlim(-0.4, 0.5)
    ax.axvline(0, color="black", linewidth=0.8)
    for row, model in enumerate(reversed(model_names)):
        part = differences.xs(model, level="model")
        tables = part.groupby(level="table").mean().sort_values()
        colors = np.where(tables < 0, _RED, _BLUE)
        ax.scatter(tables, row + _heights(ax, tables), s=16, c=colors, linewidth=0)
        mean = mean_difference(part)
        ax.errorbar(
            mean.mean, row - 0.25, xerr=2 * mean.error, fmt="D", color="black", ms=4, lw=1.2
        )
        _label(ax, tables.index[0], tables.iloc[0], row, side=-1)
        _label(ax, tables.index[-1], tables.iloc[-1], row, side=1)
    ax.set_yticks(range(len(model_names)), list(reversed(model_names.values())))
    ax.set_ylim(-0.5, len(model_names) - 0.3)
    ax.xaxis.set_major_locator(FixedLocator(_TICKS))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:+g}" if x else "0"))
    ax.grid(axis="x", linewidth=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _heights(ax: Axes, values: pd.Series) -> np.ndarray:
    """Return how far each dot is lifted, so that none hides another."""
    positions = ax.transScale.transform(np.column_stack([values, values]))[:, 0]
    left, right = ax.transScale.transform([[x, x] for x in ax.get_xlim()])[:, 0]
    heights = np.zeros(len(values))
    for number in range(1, len(values)):
        if positions[number] - positions[number - 1] < _NEAR * (right - left):
            heights[number] = (heights[number - 1] + 0.12) % 0.48
    return heights


def _label(ax: Axes, name: str, value: float, row: int, side: int) -> None:
    ax.annotate(
        name,
        (value, row),
        xytext=(6 * side, -1),
        textcoords="offset points",
        ha="right" if side < 0 else "left",
        va="center",
        fontsize=7,
        color="#555555",
    )
