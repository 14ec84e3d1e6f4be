"""An encoder as a file: plain arrays and JSON, which are read without running any code.

The format, version 2. A file is a zip archive whose members are stored, not compressed,
so that no member is larger than the file. The archive's comment is ``sha256:`` and the
digest, in 64 hexadecimal digits, of all bytes before these digits: any flipped byte shows.
Numbers are little-endian. The same encoder gives the same bytes.

============================================ ==============================================
member                                       holds
============================================ ==============================================
``encoder.json``                             ``format`` ("sk-embed encoder"), ``version``
                                             (2), ``parameters`` (typed values by name),
                                             ``output`` (of ``set_output``, or null),
                                             ``column_names`` (of all columns of X),
                                             ``has_feature_names``, ``target_type``,
                                             ``effect_names`` (none, if the tables hold no
                                             effects), ``output_names`` (or null),
                                             ``crosses`` (two columns each, the share of
                                             variance that they explain, and the rank of
                                             what is foretold of other cells), ``names``
                                             (of each categorical column, rows that weigh as
                                             much as a prior at the origin and whether all
                                             values have names; null where names say
                                             nothing), ``unit``, ``loss_curve``,
                                             ``total_weight`` (of all rows, or null where
                                             ``partial_fit`` cannot go on),
                                             ``trunk`` (``n_inputs``, ``n_outputs``,
                                             ``hidden_layer_sizes``)
``is_categorical.npy``                       bool, one for each column of X
``columns/<j>/categories.npy``, ``.json``    of the j-th categorical column: numbers and
                                             dates as numpy's, all else as typed values;
                                             missing at most once
``columns/<j>/counts.npy``                   int64, rows of each category in fit
``columns/<j>/is_infrequent.npy``            bool, categories that share one vector
``columns/<j>/embeddings.npy``               a row for each category
``columns/<j>/explained_variance_ratio.npy`` one for each axis
``columns/<j>/reliability.npy``              one for each axis, or NaN
``columns/<j>/to_trunk.npy``                 takes a row of ``embeddings`` to the network's
                                             coordinates
``columns/<j>/weights.npy``                  weight of each category's rows, if they are not
                                             all of weight 1
``columns/<j>/effects.npy``                  main effects, if they are not in ``embeddings``
``columns/<j>/names/alphabet.npy``           int64, sorted code points, then two marks
``columns/<j>/names/grams.npy``              int64, sorted numbers of the n-grams: see
                                             :mod:`sk_embed._columns.names`
``columns/<j>/names/rarity.npy``             one for each n-gram, and one for all others
``columns/<j>/names/weights.npy``            what each n-gram adds to a vector
``columns/<j>/names/offset.npy``             what a name adds that is known in full
``columns/<j>/names/left_over.npy``          share of the variance of each column of the
                                             table that names do not explain
``crosses/<k>/keys.npy``                     int64, ``row_a * 2**32 + row_b`` of the rows of
                                             both columns' tables, each once
``crosses/<k>/counts.npy``                   int64, rows of each cell in fit
``crosses/<k>/table.npy``                    own effects of each cell
``crosses/<k>/first.npy``, ``second.npy``    if the rank is not 0, numbers of each row of
                                             both columns' tables, whose products are
                                             summed to the own effects of other cells
``resume/alpha.npy``, ``curvature.npy``      one for each group of outputs and column
``context/center.npy``, ``scale.npy``        float64, one for each context column
``context/with_indicator.npy``               bool, context columns that had missing values
``trunk.npy``                                the network's weights, flat
``classes.npy``, ``.json``                   where the target has any
``target/center.npy``, ``scale.npy``         float64, one for each output that is numbers
============================================ ==============================================

A typed value is a pair, the name of its type and the value as JSON; a list of them is
written as runs of one type, ``[["str", ["a", "b"]], ["float", ["nan"]]]``. The types and
how each is written are in :mod:`sk_embed._persistence.values`. A reader refuses members,
types and parameters that it does not know, and a ``version`` above its own; a parameter
that the file lacks has its default.

Version 1 lacked ``output_names``, ``crosses``, ``names``, ``total_weight``, ``target``,
``resume``, ``to_trunk``, ``weights`` and ``effects``: ``partial_fit`` does not go on from
such a file, nor from that of an encoder that has learned by ``partial_fit``, whose
``total_weight`` is null.
"""

from sk_embed._persistence.archive import read_archive, write_archive
from sk_embed._persistence.state import members_of, restored

__all__ = ["members_of", "read_archive", "restored", "write_archive"]
