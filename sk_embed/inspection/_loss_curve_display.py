"""The picture of how learning went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_embed._encoder import EmbeddingEncoder
from sk_embed.inspection._matplotlib import BLUE, PLAIN, figure_of


class LossCurveDisplay:
    """The validation loss of each epoch.

    A row's loss is measured just before the network learns from it, with vectors that
    have not seen it: where the curve still falls, more epochs (``max_iter``) may help.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Validation loss of each epoch, of the encoder's ``loss_curve_``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that the curve was drawn on.
    figure_ : matplotlib Figure
        Figure that ``ax_`` belongs to.
    line_ : matplotlib Line2D
        Curve of the losses over the epochs.

    See Also
    --------
    EmbeddingDisplay : The vectors that were learned.

    Examples
    --------
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.datasets import make_categorical
    >>> from sk_embed.inspection import LossCurveDisplay
    >>> encoder = EmbeddingEncoder(random_state=0).fit(*make_categorical(random_state=0))
    >>> display = LossCurveDisplay.from_estimator(encoder)  # doctest: +SKIP
    """

    def __init__(self, loss_curve: Sequence[float]) -> None:
        self.loss_curve = loss_curve

    @classmethod
    def from_estimator(
        cls, encoder: EmbeddingEncoder, *, ax: Any = None, **line_kw: Any
    ) -> LossCurveDisplay:
        """Draw the curve of a fitted encoder.

        Parameters
        ----------
        encoder : EmbeddingEncoder
            Fitted encoder whose losses are drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kw : dict
            Further arguments of matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay
            The picture.
        """
        check_is_fitted(encoder)
        return cls(encoder.loss_curve_).plot(ax=ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> LossCurveDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **line_kw : dict
            Further arguments of matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_, self.figure_ = figure_of(ax, type(self).__name__)
        epochs = np.arange(1, len(self.loss_curve) + 1)
        style = {"color": BLUE, "marker": "o", "markersize": 4, **line_kw}
        (self.line_,) = self.ax_.plot(epochs, self.loss_curve, **style)
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.set_xlabel("Epoch", **PLAIN)
        self.ax_.set_ylabel("Validation loss", **PLAIN)
        self.ax_.grid(alpha=0.3)
        return self
