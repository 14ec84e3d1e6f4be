"""Names that skops asks for before it loads a fitted encoder."""

from __future__ import annotations

_ALWAYS = [
    "sk_embed._columns.context.ContextScaler",
    "sk_embed._columns.names.NameGrams",
    "sk_embed._columns.table.TableColumns",
    "sk_embed._columns.target.Target",
    "sk_embed._columns.vocabulary.Vocabulary",
    "sk_embed._crosses.CrossTable",
    "sk_embed._encoder.EmbeddingEncoder",
    "sk_embed._engine.network.trunk.Trunk",
    "sk_embed._fitted.FittedEncoding",
    "sk_embed._fitted.ResumeState",
    "sk_embed._names.NamePrior",
]
_OF_DASK = ["sk_embed.dask.EmbeddingEncoder"]
_OF_PARTIAL_FIT = [
    "numpy.dtype",
    "sk_embed._columns.growing.GrowingColumns",
    "sk_embed._columns.growing.GrowingVocabulary",
    "sk_embed._growing.GrowingArray",
    "sk_embed._engine.losses.HalfBinomialLoss",
    "sk_embed._engine.losses.HalfMultinomialLoss",
    "sk_embed._engine.losses.HalfSquaredError",
    "sk_embed._engine.rows.Rows",
    "sk_embed._engine.online.model.StreamModel",
    "sk_embed._engine.online.columns.Halves",
    "sk_embed._engine.additive.online.Moments",
    "sk_embed._engine.additive.online.StreamEffects",
    "sk_embed._engine.additive.sites.SiteStore",
    "sk_embed._engine.online.settings.StreamSettings",
    "sk_embed._engine.online.tables.TableStore",
    "sk_embed._stream.Stream",
    "sk_embed._stream_crosses.StreamCrosses",
    "sk_embed._stream_rows.StoreRows",
]
# Plain values of Python and pandas, whose constructors do nothing but hold them.
_OF_CATEGORIES = [
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "fractions.Fraction",
    "pandas.Interval",
    "pandas.Period",
    "pandas._libs.tslibs.offsets.Day",
    "pandas._libs.tslibs.offsets.Hour",
    "pandas._libs.tslibs.offsets.Minute",
    "pandas._libs.tslibs.offsets.MonthEnd",
    "pandas._libs.tslibs.offsets.QuarterEnd",
    "pandas._libs.tslibs.offsets.Second",
    "pandas._libs.tslibs.offsets.Week",
    "pandas._libs.tslibs.offsets.YearEnd",
    "uuid.UUID",
]

SKOPS_TRUSTED = [*_ALWAYS, *_OF_DASK, *_OF_PARTIAL_FIT, *_OF_CATEGORIES]
