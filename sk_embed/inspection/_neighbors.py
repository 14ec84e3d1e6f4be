"""The categories whose vectors are nearest to one."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._encoder import EmbeddingEncoder


def nearest_categories(
    encoder: EmbeddingEncoder, feature: Any, category: Any, n_neighbors: int = 5
) -> pd.DataFrame:
    """Return the categories whose vectors are nearest to that of a given one.

    Distances are Euclidean, over all output columns of the feature.

    Parameters
    ----------
    encoder : EmbeddingEncoder
        Fitted encoder whose vectors are compared.
    feature : str or int
        Name of the column, or its number in X.
    category : object
        A category of this column; None or NaN for missing. Also one that was not in
        ``fit``, where the names of the column say something of its vectors (see
        ``names`` of :class:`~sk_embed.EmbeddingEncoder`).
    n_neighbors : int, default=5
        Rows of the answer, at most.

    Returns
    -------
    neighbors : DataFrame of shape (n_neighbors, 3)
        Columns ``category``, ``distance`` (over effect and vector, in units of
        ``encoder.unit_``) and ``count`` (rows in ``fit``); nearest first.

    Raises
    ------
    ValueError
        If the feature or the category is not known, nor its name of any use.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.inspection import nearest_categories
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"item": rng.choice(["mule", "boot", "clog", "phone"], 400)})
    >>> y = X["item"].map({"mule": 1.0, "boot": 1.2, "clog": 1.3, "phone": 9.0})
    >>> encoder = EmbeddingEncoder(random_state=0).fit(X, y)
    >>> nearest_categories(encoder, "item", "boot", n_neighbors=2)["category"].tolist()
    ['clog', 'mule']
    """
    if not isinstance(n_neighbors, Integral) or int(n_neighbors) < 1:
        raise ValueError(
            f"n_neighbors must be an integer of at least 1, but is {n_neighbors!r}."
        )
    table = encoder.to_frame(feature)
    vectors = table.drop(columns="count").to_numpy()
    vector, row = encoder._category_vector(feature, category)
    distances = np.linalg.norm(vectors - vector, axis=1)
    nearest = np.argsort(distances, kind="stable")
    nearest = nearest[nearest != row][:n_neighbors]
    return pd.DataFrame(
        {
            "category": table.index[nearest],
            "distance": distances[nearest],
            "count": table["count"].to_numpy()[nearest],
        }
    )
