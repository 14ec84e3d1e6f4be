"""scikit-learn's common checks, and those that it does not yield to third parties.

Of those that it does not yield, these alone are not called here:
``check_estimators_nan_inf``, as missing and infinite values are categories;
``check_supervised_y_2d``, which predicts; ``check_transformers_unfitted_stateless``; and
those of sparse tables, array API, classifiers, regressors, clusterers and outliers.
"""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_embed import EmbeddingEncoder

REASON = (
    "fit_transform(X, y) encodes rare categories by vectors that were learned without "
    "the row's fold, and so differs from fit(X, y).transform(X), as TargetEncoder's does"
)
CROSS_FITTED_CHECKS = {
    "check_transformer_general": REASON,
    "check_transformer_data_not_an_array": REASON,
}
RARE = "partial_fit refuses min_frequency: no chunk tells which categories stay rare"
PARTIAL_FIT_CHECKS = {
    "check_fit_score_takes_y": RARE,
    "check_n_features_in_after_fitting": RARE,
}

ENCODERS = [
    EmbeddingEncoder(),
    # With vectors: of the few rows of these checks "auto" keeps the main effect alone,
    # which is too small for the two expected failures to be seen.
    EmbeddingEncoder(2, categorical_features=[0], remainder="passthrough"),
]
OTHER_ENCODERS = [
    EmbeddingEncoder(n_components=2),
    EmbeddingEncoder(main_effects=False),
    EmbeddingEncoder(min_frequency=3),
    EmbeddingEncoder(cross_fit=False),
]

# float64, as the context is: the checks compare frames with arrays, of one dtype.
WITH_CONTEXT = EmbeddingEncoder(
    2, categorical_features=[0], remainder="passthrough", dtype="float64"
)

CHECKS_BY_HAND = [
    "check_supervised_y_no_nan",
    "check_transformer_preserve_dtypes",
    "check_estimators_partial_fit_n_features",
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
]


def expected_failures(encoder):
    cross_fitted = CROSS_FITTED_CHECKS if encoder.cross_fit else {}
    rare = {} if encoder.min_frequency is None else PARTIAL_FIT_CHECKS
    return cross_fitted | rare


def each_check(encoders):
    """Return the mark of a test that runs on each encoder and common check."""
    given = parametrize_with_checks(encoders, expected_failed_checks=expected_failures)
    # scikit-learn 1.6 hands over a generator, which pytest 9 refuses.
    names, checks = given.args
    return pytest.mark.parametrize(names, list(checks), **given.kwargs)


@each_check(ENCODERS)
def test_scikit_learns_common_check_passes(estimator, check):
    check(estimator)


@pytest.mark.slow
@each_check(OTHER_ENCODERS)
def test_scikit_learns_common_check_passes_with_other_parameters(estimator, check):
    check(estimator)


# The checks fit on frames and encode arrays, and the reverse, of which
# scikit-learn warns.
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning")
@pytest.mark.parametrize(
    "encoder",
    [
        ENCODERS[0],
        WITH_CONTEXT,
        pytest.param(EmbeddingEncoder(cross_fit=False), marks=pytest.mark.slow),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", CHECKS_BY_HAND)
def test_scikit_learns_own_check_passes(name, encoder):
    getattr(estimator_checks, name)("EmbeddingEncoder", encoder)
