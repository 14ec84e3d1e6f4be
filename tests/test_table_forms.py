"""Whatever form a table is learned from, and whatever form is encoded: the same bits.

``SK_EMBED_EXAMPLES=2000 python -m pytest tests/test_table_forms.py`` draws that many
examples anew; without it a hundred are the same each time.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_forms import FORMS, tables

N_EXAMPLES = os.environ.get("SK_EMBED_EXAMPLES")

# Forms with and without names take turns, of which scikit-learn warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning"),
]


def fit(X, y):
    encoder = EmbeddingEncoder(1, max_iter=1, hidden_layer_sizes=(2,), random_state=0)
    return encoder.fit(X, y)


@pytest.mark.slow
@given(tables(), st.sampled_from(sorted(FORMS)), st.sampled_from(sorted(FORMS)))
@settings(
    max_examples=int(N_EXAMPLES or 100),
    derandomize=N_EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_form_of_a_table_gives_the_bits_of_every_other(both, first, second):
    learned, new = both
    y = np.cos(np.arange(len(learned[0].values)))
    encoder = fit(FORMS[first](learned), y)
    other = fit(FORMS[second](learned), y)
    for own, others in zip(encoder.embeddings_, other.embeddings_, strict=True):
        assert_array_equal(own, others)
    for table in (learned, new):
        expected = encoder.transform(FORMS["lists"](table))
        for name, make in FORMS.items():
            assert_array_equal(encoder.transform(make(table)), expected, err_msg=name)
            assert_array_equal(other.transform(make(table)), expected, err_msg=name)
