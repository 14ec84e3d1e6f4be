"""The page of results and the README's table, made from the files of results.

``python benchmarks/page.py`` reads ``benchmarks/results/*.csv`` and writes the tables of
``docs/results.rst`` into ``docs/results``, its picture, the table between the marks in
``README.md``, and beside the files of results the reports that their benchmarks print. The
prose between the tables is written by hand.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import pandas as pd
from _picture import draw_margins
from _report import (
    LEAKING,
    TOLERANCE,
    against_each,
    against_models,
    all_rows_table,
    as_published,
    at_random,
    by_rival,
    cells_of,
    margins_by_model,
    markdown,
    means_of_cells,
    of_catalog,
    published_errors,
    report_all_rows,
    report_encoders,
    report_models,
    report_published,
    report_seeds,
    spread_over_seeds,
    told_and_not,
)

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TABLES = ROOT / "docs" / "results"
PICTURE = ROOT / "docs" / "images" / "margins.svg"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"

NAMES = {
    "Target": "TargetEncoder",
    "OneHot": "OneHotEncoder",
    "Ordinal": "OrdinalEncoder",
    "native": "HistGradientBoosting's own categories",
    "CatBoost": "CatBoostEncoder",
    "JamesStein": "JamesSteinEncoder",
    "WOE": "WOEEncoder (two classes)",
    "GLMM": "GLMMEncoder (regressions, one split)",
    "String + Target": "StringEncoder beside TargetEncoder (one split)",
    "TableVectorizer": "TableVectorizer (one split)",
    LEAKING: "EmbeddingEncoder, fit(X, y).transform(X)",
}
# The README's rows: the encoders that are used most, and no encoder at all.
IN_README = ("Target", "OneHot", "Ordinal", "CatBoost", "native")
WIDTH_OF_TEXT = 92
MODEL_NAMES = {
    "boosting": "gradient boosting",
    "forest": "random forest",
    "linear": "linear model",
    "neighbors": "nearest neighbours",
}


def encoder_table(scores: pd.DataFrame, encoders: tuple[str, ...]) -> pd.DataFrame:
    """Return the mean differences to some encoders, behind each model."""
    table = against_each(scores)
    table = table.reindex([name for name in encoders if name in table.index])
    table = table.rename(index=NAMES, columns=MODEL_NAMES)
    return table.rename_axis("in place of")


def losses(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the cells where another encoder is ahead by more than the tolerance."""
    cells = means_of_cells(scores)
    cells = cells[cells["margin"] < -TOLERANCE].sort_values("margin")
    table = cells[["best other", "margin", "± over splits"]].replace({"best other": NAMES})
    return table.droplevel("rows").rename(index=MODEL_NAMES, level="model")


def model_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores of each table over the splits that all rivals have."""
    return by_rival(scores).dropna().groupby(level=["table", "split_by"]).mean()


def seed_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the spread over seeds of each table; rows are in the page's text."""
    return spread_over_seeds(scores).droplevel("rows")


def list_table(frame: pd.DataFrame) -> str:
    """Return a table in reStructuredText."""
    head, rows = cells_of(frame)
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        first, *others = (f" {cell}".rstrip() for cell in row)
        lines.append(f"   * -{first}")
        lines += [f"     -{cell}" for cell in others]
    return "\n".join(lines) + "\n"


def fragments() -> dict[str, str]:
    """Return the tables of the page by their names, made from the files of results."""
    encoders = pd.read_csv(RESULTS / "encoders.csv")
    models = pd.read_csv(RESULTS / "models.csv")
    published = published_errors(
        pd.read_csv(RESULTS / "published.csv"), pd.read_csv(RESULTS / "sigrist2023.csv")
    )
    tables = {
        "encoders": encoder_table(of_catalog(encoders), tuple(NAMES)),
        "encoders_random": encoder_table(at_random(encoders), tuple(NAMES)),
        "margins": margins_by_model(of_catalog(encoders)).rename(index=MODEL_NAMES),
        "margins_random": margins_by_model(at_random(encoders)).rename(index=MODEL_NAMES),
        "losses": losses(of_catalog(encoders)),
        "groups": told_and_not(encoders).droplevel("rows").rename(index=MODEL_NAMES),
        "models": against_models(of_catalog(models)),
        "models_random": against_models(at_random(models)),
        "model_scores": model_scores(models),
        "published": published.map(as_published),
        "seeds": seed_table(pd.read_csv(RESULTS / "seeds.csv")),
        "all_rows": all_rows_table(pd.read_csv(RESULTS / "all_rows.csv")),
    }
    return {name: list_table(table) for name, table in tables.items()}


def reports() -> dict[str, str]:
    """Return what the benchmarks print, by the names of their files."""
    names = "encoders", "models", "published", "sigrist2023", "seeds", "all_rows"
    encoders, models, published, theirs, seeds, all_rows = (
        pd.read_csv(RESULTS / f"{name}.csv") for name in names
    )
    return {
        "encoders": report_encoders(encoders),
        "models": report_models(models),
        "published": report_published(published, theirs),
        "seeds": report_seeds(seeds),
        "all_rows": report_all_rows(all_rows),
    }


def readme_table() -> str:
    """Return the README's table, and how many of its cells are lost."""
    scores = of_catalog(pd.read_csv(RESULTS / "encoders.csv"))
    lost = losses(scores).index.get_level_values("model")
    n_lost_by_trees = lost.isin([MODEL_NAMES["boosting"], MODEL_NAMES["forest"]]).sum()
    return (
        f"{markdown(encoder_table(scores, IN_README))}\n\n"
        f"Other encoders are ahead by more than {TOLERANCE} in {len(lost)} of "
        f"{len(means_of_cells(scores))} pairs of table and model, {n_lost_by_trees} of "
        "them with trees.\n\n"
        f"{about_cat_boost()}"
    )


def about_cat_boost() -> str:
    """Return in a sentence how trees behind the encoder compare with CatBoost."""
    table = against_models(of_catalog(pd.read_csv(RESULTS / "models.csv")))
    cells = {
        name: table.loc[f"Embedding + {name}", "CatBoost"]
        for name in ("HistGradientBoosting", "CatBoost")
    }
    trees, same = (
        f"{cell['tables ahead']} tables, by {cell['mean difference']} on average, in "
        f"{cell['time'].removesuffix(' x')} of its time"
        for cell in cells.values()
    )
    text = (
        "Beside CatBoost with categories of its own, HistGradientBoosting behind "
        f"`EmbeddingEncoder` is ahead on {trees}; CatBoost itself behind it, with numbers "
        f"alone, on {same}."
    )
    return f"{fill(text, WIDTH_OF_TEXT)}\n"


def in_readme(text: str, table: str) -> str:
    """Return the text of the README with a table between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table + END + after


def main() -> None:
    """Write the tables, the picture and the README's table."""
    TABLES.mkdir(exist_ok=True)
    for name, text in fragments().items():
        (TABLES / f"{name}.inc").write_text(text)
    for name, text in reports().items():
        (RESULTS / f"{name}.md").write_text(text)
    scores = of_catalog(pd.read_csv(RESULTS / "encoders.csv"))
    draw_margins(scores, MODEL_NAMES, PICTURE)
    README.write_text(in_readme(README.read_text(), readme_table()))


if __name__ == "__main__":
    main()
