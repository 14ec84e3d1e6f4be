"""How alike the categories of a column are, all with all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform

from sk_embed._arrays import FloatArray
from sk_embed._encoder import EmbeddingEncoder


def similarity(
    encoder: EmbeddingEncoder,
    feature: Any,
    *,
    metric: str = "euclidean",
    max_categories: int = 2_000,
) -> pd.DataFrame:
    """Return how alike the vectors of a column's categories are, all with all.

    Parameters
    ----------
    encoder : EmbeddingEncoder
        Fitted encoder whose vectors are compared.
    feature : str or int
        Name of the column, or its number in X.
    metric : {"euclidean", "cosine"}, default="euclidean"
        "euclidean" is ``1 / (1 + distance)``, with the distance of
        :func:`nearest_categories`: 1 for the same vector, 0 infinitely far. "cosine" is
        the cosine of the angle between the vectors as seen from the origin, where
        unknown categories are: 1 for the same direction, -1 for the opposite one, 0 for
        a vector at the origin. The direction of a rare category is mostly noise.
    max_categories : int, default=2_000
        A column of more is refused: the frame has a cell for each pair.

    Returns
    -------
    frame : DataFrame of shape (n_categories, n_categories)
        Symmetric; labelled by the categories on both sides, in the order of
        ``categories_``.

    Raises
    ------
    ValueError
        If the feature or the metric is not known, or the column has too many categories.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.inspection import similarity
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"item": rng.choice(["mule", "boot", "phone"], 300)})
    >>> y = X["item"].map({"mule": 1.0, "boot": 1.2, "phone": 9.0})
    >>> encoder = EmbeddingEncoder(random_state=0).fit(X, y)
    >>> similarity(encoder, "item")["boot"].sort_values().index.tolist()
    ['phone', 'mule', 'boot']
    """
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f"metric must be 'euclidean' or 'cosine', but is {metric!r}.")
    table = encoder.to_frame(feature).drop(columns="count")
    if len(table) > max_categories:
        raise ValueError(
            f"Column {feature!r} has {len(table)} categories, and the square frame a cell "
            f"for each pair; max_categories is {max_categories}. Raise it, or ask "
            "nearest_categories."
        )
    vectors = table.to_numpy(dtype=np.float64)
    values = _cosines(vectors) if metric == "cosine" else _nearness(vectors)
    return pd.DataFrame(values, index=table.index, columns=table.index)


def _nearness(vectors: FloatArray) -> FloatArray:
    return 1 / (1 + squareform(pdist(vectors)))


def _cosines(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return np.clip(units @ units.T, -1, 1)
