"""skops, which loads what it trusts by name, needs no trust beyond this package."""

from __future__ import annotations

import numpy as np
import pytest
from persistence_data import draw, make

skops_io = pytest.importorskip("skops.io")


@pytest.mark.parametrize("is_label", [False, True])
def test_skops_trusts_no_types_but_our_own(is_label):
    X, y = draw()
    y = np.where(y > 0, "p", "q") if is_label else y
    encoder = make().fit(X, y)
    written = skops_io.dumps(encoder)
    untrusted = skops_io.get_untrusted_types(data=written)
    assert all(name.startswith("sk_embed.") for name in untrusted)
    loaded = skops_io.loads(written, trusted=untrusted)
    np.testing.assert_array_equal(loaded.transform(X), encoder.transform(X))
    assert loaded.categories_[1].tolist() == encoder.categories_[1].tolist()
