"""Losses, each paired with its canonical link.

With the canonical link the gradient of every loss with respect to the raw
prediction is ``inverse_link(raw_prediction) - y_true``, so that one line of the
backward pass serves them all. Names and definitions follow ``sklearn._loss``.

Shapes: ``y_true`` and ``raw_prediction`` are (..., n_outputs) throughout, most often
(n_rows, n_outputs). A binary target is one column of zeros and ones, a target of K > 2
classes is K columns of a one-hot code, several targets are a column each: the loss of a
row is the sum over them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import expit

from sk_embed._arrays import FloatArray


class Loss(Protocol):
    """Interface of a loss: value, gradient and curvature at a raw prediction."""

    has_free_dispersion: bool
    """Whether the noise has a variance of its own, to be estimated."""
    has_constant_curvature: bool
    """Whether the Hessian is the same everywhere."""

    def joint_outputs(self, n_outputs: int) -> list[slice]:
        """Return the outputs that the loss ties to each other, group by group."""

    def link(self, mean: FloatArray) -> FloatArray:
        """Return the raw prediction whose expected target is ``mean``."""

    def inverse_link(self, raw_prediction: FloatArray) -> FloatArray:
        """Return the expected target of a raw prediction, finite however far that is."""

    def loss(self, y_true: FloatArray, raw_prediction: FloatArray) -> FloatArray:
        """Return the loss of each row, shape (...,), which is never negative."""

    def curvature(self, mean: FloatArray) -> FloatArray:
        """Return the diagonal of each row's Hessian at the expected target."""

    def hessian_product(self, mean: FloatArray, direction: FloatArray) -> FloatArray:
        """Return each row's Hessian at the expected target times ``direction``."""


class HalfSquaredError:
    """``(raw - y)**2 / 2``, identity link."""

    has_free_dispersion = True
    has_constant_curvature = True

    def joint_outputs(self, n_outputs: int) -> list[slice]:
        return [slice(output, output + 1) for output in range(n_outputs)]

    def link(self, mean: FloatArray) -> FloatArray:
        return mean

    def inverse_link(self, raw_prediction: FloatArray) -> FloatArray:
        return raw_prediction

    def loss(self, y_true: FloatArray, raw_prediction: FloatArray) -> FloatArray:
        error = raw_prediction - y_true
        return np.einsum("...k,...k->...", error, error) / 2

    def curvature(self, mean: FloatArray) -> FloatArray:
        return np.ones_like(mean)

    def hessian_product(self, mean: FloatArray, direction: FloatArray) -> FloatArray:
        return direction


class HalfBinomialLoss:
    """``log(1 + exp(raw)) - y * raw``, logit link."""

    has_free_dispersion = False
    has_constant_curvature = False

    def joint_outputs(self, n_outputs: int) -> list[slice]:
        return [slice(output, output + 1) for output in range(n_outputs)]

    def link(self, mean: FloatArray) -> FloatArray:
        inside = np.clip(mean, 1e-6, 1 - 1e-6)
        return np.log(inside / (1 - inside))

    def inverse_link(self, raw_prediction: FloatArray) -> FloatArray:
        return expit(raw_prediction)

    def loss(self, y_true: FloatArray, raw_prediction: FloatArray) -> FloatArray:
        return (np.logaddexp(0, raw_prediction) - y_true * raw_prediction).sum(axis=-1)

    def curvature(self, mean: FloatArray) -> FloatArray:
        return mean * (1 - mean)

    def hessian_product(self, mean: FloatArray, direction: FloatArray) -> FloatArray:
        return mean * (1 - mean) * direction


class HalfMultinomialLoss:
    """``logsumexp(raw) - sum(y * raw)``, symmetric multinomial logit link."""

    has_free_dispersion = False
    has_constant_curvature = False

    def joint_outputs(self, n_outputs: int) -> list[slice]:
        return [slice(n_outputs)]

    def link(self, mean: FloatArray) -> FloatArray:
        log_mean = np.log(np.clip(mean, 1e-6, 1))
        return log_mean - log_mean.mean(axis=-1, keepdims=True)

    def inverse_link(self, raw_prediction: FloatArray) -> FloatArray:
        return _exponentials(raw_prediction)[1]

    def loss(self, y_true: FloatArray, raw_prediction: FloatArray) -> FloatArray:
        log_sum, _ = _exponentials(raw_prediction)
        return log_sum - np.einsum("...k,...k->...", y_true, raw_prediction)

    def curvature(self, mean: FloatArray) -> FloatArray:
        return mean * (1 - mean)

    def hessian_product(self, mean: FloatArray, direction: FloatArray) -> FloatArray:
        centred = direction - (mean * direction).sum(axis=-1, keepdims=True)
        return mean * centred


def _exponentials(raw_prediction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log-sum-exp and softmax over the last axis.

    As scipy does, whose functions take four times as long on the rows of one batch.
    """
    largest = raw_prediction.max(axis=-1, keepdims=True)
    exponentials = np.exp(raw_prediction - largest)
    total = exponentials.sum(axis=-1, keepdims=True)
    return (np.log(total) + largest)[..., 0], exponentials / total
