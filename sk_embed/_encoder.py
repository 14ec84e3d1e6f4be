"""The estimator: composes columns, engine and cross-fitting. No arithmetic here.

``fit`` reads X and y (:mod:`sk_embed._training_data`), learns from their rows
(:func:`sk_embed._fitting.learn_from_rows`, :func:`sk_embed._engine.model.learn_model`) and
keeps a :class:`sk_embed._fitted.FittedEncoding`, by which rows are encoded. Methods that
are not public are in :mod:`sk_embed._base`.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sk_embed._arrays import FloatArray
from sk_embed._base import EncoderBase
from sk_embed._chunks import FitChunksMixin
from sk_embed._columns.frame import as_columns, given_names
from sk_embed._columns.output import table_like
from sk_embed._cross_fitting import number_of_folds
from sk_embed._crosses import Cross
from sk_embed._decoding import require_encoded
from sk_embed._errors import restore_on_error
from sk_embed._output_names import require_distinct
from sk_embed._saving import SaveMixin
from sk_embed._sklearn_compat import (
    MetadataRouter,
    MethodMapping,
    check_feature_names_in,
    fit_context,
    routed_to_splitter,
)
from sk_embed._streaming import PartialFitMixin


class EmbeddingEncoder(PartialFitMixin, FitChunksMixin, SaveMixin, EncoderBase):
    """Encode each category as a vector that is learned from the target.

    Each category gets its *main effect*, one number per output from a joint additive
    model of all columns, followed by its *interaction vector*, learned by
    backpropagation through a small network that reads the vectors of all categorical
    columns and the numeric columns as context; what the main effect says already is taken
    out of it. Columns are encoded by looking their categories up; unknown categories get
    what their names say, or the origin; missing values are a category.

    .. note::
        ``fit_transform(X, y)`` does not equal ``fit(X, y).transform(X)``: it encodes
        training rows by vectors that were learned without the row's fold, so that the
        next model is not trained on copies of the target. Encode training rows by
        ``fit_transform``, as a :class:`~sklearn.pipeline.Pipeline` does.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Width of the interaction part of each column, beside its main effect. An int
        keeps so many first axes at most (0 leaves the main effects alone), a float in
        (0, 1) the first axes that explain this share of the variance. "auto" keeps the
        reliable axes: those of more than 1 % of the variance of effects and vectors
        together, on which vectors that are learned from two halves of the rows agree to
        more than 0.2 (a third of the variance is then signal, by Spearman and Brown's
        formula); none if all rows fit into one batch, which is too few to tell. Up to 8,
        fewer components are the first ones of more. Without main effects a column keeps
        at least one axis.
    categorical_features : {"all", "from_dtype"}, array-like or callable, default="all"
        Categorical columns, by names, indices or a mask; "from_dtype" takes all whose
        dtype is not a number (booleans are categories; of an array of objects all
        columns are). A callable is given X in ``fit`` and returns any of these, as
        :func:`~sklearn.compose.make_column_selector`; so do skrub's selectors. Whole
        numbers are indices; they are refused where they are labels of other columns of a
        data frame. The other columns are numeric context: they take part in learning,
        and ``remainder`` says whether they are in the output.
    main_effects : bool, default=True
        Whether each category's main effect is put before its vector.
    remainder : {"drop", "passthrough"}, default="drop"
        Whether context columns are in the output: "passthrough" appends them unscaled,
        "drop" leaves them out. In a data frame they keep their dtypes; an array is of the
        smallest dtype that holds them and the vectors, mostly float64.
    categories : "auto", list of array-like or dict, default="auto"
        Categories of each categorical column, in the order of the tables' rows; "auto"
        takes those that occur in ``fit``, sorted. A dict holds them by column name, or
        by index where X has no names; columns that it does not name are "auto".
    handle_unknown : {"prior", "error"}, default="prior"
        Whether ``transform`` encodes a category that was not in ``fit`` by its prior,
        which is the origin unless its name says more (see ``names``), or raises.
    min_frequency : int or float, default=None
        Categories with fewer rows, or a smaller share of the rows, share one vector.
    max_categories : int, default=None
        Largest number of vectors of each column, the shared one included.
    target_type : {"auto", "continuous", "binary", "multiclass", \
            "continuous-multioutput", "multilabel-indicator"}, default="auto"
        "auto" follows :func:`~sklearn.utils.multiclass.type_of_target`, for which whole
        numbers are classes, but reads numbers with more than 100 different values (in
        any of several columns) as continuous. Set "continuous" for counts and ratings,
        in one column or several: each class makes an output of its own. A
        UserWarning tells of 21 to 100 whole numbers that "auto" reads as classes, and of
        more classes than 200 or than half the rows. Labels are of any one type that is
        hashable, as strings, bytes or tuples; Decimals and Fractions are numbers, and
        times are an error.
    hidden_layer_sizes : "auto" or tuple of int, default="auto"
        Hidden layers of the network; "auto" is (64, 32).
    learning_rate_init : float, default=1.5e-3
        Step size of the network's weights (Adam), 1 at most: larger steps diverge.
    alpha : float or "auto", default="auto"
        Penalty on the squares of main effects; "auto" estimates one for each column by
        empirical Bayes, from the size of its effects and the noise.
    batch_size : int or "auto", default="auto"
        Rows of a batch; "auto" is the power of two from 64 to 1024 that makes about 128
        batches of the rows.
    max_iter : int or "auto", default="auto"
        Passes over the rows for the network, at most; "auto" is as many as visit 192,000
        rows, from 20 to 60, but no more than take 6,000 batches, and at least 2.
    tol : float, default=1e-3
        Smallest fall of the progressive validation loss that counts, as a share of the
        loss of a constant prediction.
    n_iter_no_change : int or "auto", default="auto"
        Stop after so many passes without such a fall, once the loss is below that of a
        constant prediction; "auto" is a quarter of what "auto" is for ``max_iter``,
        from 1 to 3, or to 4 where ``max_iter="auto"`` gives more than 20 passes.
    crosses : "auto", None or list of pairs of columns, default="auto"
        Pairs of categorical columns, by names or indices, that are learned as columns of
        their own: one effect for each pair of categories, beyond the main effects of both,
        in the same additive model. "auto" takes the pairs whose effects are beyond chance
        in the residuals of rows that the model has not learned from, under the folds of
        ``cv`` (by :meth:`fit`, which knows no groups: under five shuffled folds, unless
        ``cv`` is a number), the largest first, at most as many as there are categorical
        columns, and twelve; none if the rows fit into one batch, too few to tell. Of more
        than 60,000 rows 30,000 choose, and as many others must confirm each pair. A pair of
        categories that :meth:`fit` has not met has the effect that their vectors foretell,
        zero unless this helps held-out rows.
    names : "auto", bool or list of columns, default="auto"
        Columns, by names or indices, whose categories are shrunk to what their names say
        instead of to the origin: a prior mean that is predicted from the name's groups of
        two to four characters (n-grams) by a ridge regression over the other categories.
        A category of many rows stays where its rows put it, a rare one is near what its
        name says, and an unknown one is there. Vectors without a fold are shrunk to what
        names say without this fold. "auto" asks all columns of strings, and takes those
        where names predict vectors of categories that are left out better than their mean
        does, by 2.5 standard errors (a first look at the 1,000 most frequent categories,
        which asks for one, spares most columns this); True takes all columns of strings, a
        list the columns that it holds, whose other values count as they are written. False
        takes none. No column is taken of which fewer than 30 categories have rows and a
        name, or whose names predict nothing. Missing values and infrequent categories have
        no names, and ``partial_fit`` learns nothing from names.
    counts : bool, default=False
        Whether ``log(1 + n)`` is put out for each categorical column and each cross, behind
        all vectors, n being the number of training rows of the category, or pair of
        categories. In ``fit_transform`` a row does not count itself, so that n is the
        number of others as it is for new rows (unless ``cross_fit=False``). Rows count
        whatever they weigh, those of weight 0 do not; categories that share a vector count
        together; an unknown one has no rows. It helps where rows are drawn alike and how
        often a category occurs says what it is, and misleads where a later table is of
        another size.
    cross_fit : bool, default=True
        Whether ``fit_transform`` encodes the training rows without leaking their
        targets.
    cross_fit_below : int or "auto", default="auto"
        Training rows whose category has fewer rows than this get the vector that was
        learned without their fold; those of frequent categories get the full vector.
        "auto" is ten times the column's noise variance over the variance of its effects,
        from 10 to 200 rows, and a hundred times that where the categories of a column lie
        further apart, on one of its output columns, than the folds' vectors of each; and
        those of categories that lie in a single fold, as by groups, which are then encoded
        as unknown ones. Of weighted rows the effective number counts,
        ``(sum w)**2 / sum(w**2)``.
    cv : int, splitter or iterable of splits, default=5
        Folds of ``fit_transform``; an int makes shuffled folds, over which binary and
        multiclass labels are spread evenly. The test folds must hold each row once; the
        vectors of a fold are learned from its training part. An iterator lasts for one
        ``fit_transform``.
    init_scale : float, default=0.0
        Standard deviation of the vectors' random start, 10 at most; 0 starts them at the
        origin. The share of the start that a category's rows have not overwritten is
        taken out again, and unknown categories get the origin in any case.
    half_life : float, default=None
        Number of a category's rows after which what ``partial_fit`` learned from earlier
        ones counts a half. None forgets nothing: every row counts the same.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the network's weights of the last ``fit``.
    n_jobs : int, default=None
        Threads for network, main effects and final tables; the result is the same for
        every number. None takes one below 50,000 rows, and from there on as many as
        scikit-learn's gradient boosting: all cores, unless ``OMP_NUM_THREADS`` or
        threadpoolctl allow fewer, but one within a worker of joblib, as in a grid search
        of several jobs; where :func:`joblib.parallel_config` says ``n_jobs``, that many.
        Fewer threads take less memory, for each learns tables of its own.
    random_state : int, RandomState instance or None, default=None
        An int gives the same bits each time.
    verbose : int, default=0
        1 prints a line for each epoch: its loss, and the time that is left if learning
        does not stop early. Since scikit-learn 1.9 also ``set_callbacks``, as of
        :class:`~sklearn.callback.ProgressBar`, tells of epochs; what a
        :class:`~sklearn.callback.ScoringMonitor` scores is the fitted encoder.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Type of the vectors and of the network's arithmetic; arithmetic is float64 where the
        rows fit into one batch.

    Attributes
    ----------
    categories_ : list of ndarray of shape (n_categories,)
        Categories of each categorical column; missing is last where it occurs. Those that
        came by ``partial_fit`` are behind, in the order of the chunks.
    embeddings_ : list of ndarray of shape (n_categories, n_components_[j])
        Row i belongs to ``categories_[j][i]``: its main effect, in units of the
        standardised target or log-odds, then its vector, in units of the same: to first
        order, the distance of two vectors is the root mean square change of the
        network's prediction (over classes, of the sum of squares) that exchanging them
        brings about, beyond what their main effects say. All is divided by ``unit_``.
    unit_ : float
        Number by which all vectors are divided, in units of the standardised target or
        log-odds: the root mean square of what one standard deviation of the context columns
        changes, from 0.1 to 10, so that nearest neighbours weigh vectors and standardised
        numbers alike; 1 without context.
    n_components_ : list of int
        Output columns of each categorical column.
    explained_variance_ratio_ : list of ndarray
        Share of variance, about the origin, on each axis of the interaction part.
    reliability_ : list of ndarray
        Agreement of two halves of the rows on each axis: 1 is perfect, 0 is noise;
        multiplied by the share of what the network explains that it explains of rows it has
        not learned, where ``loss_curve_`` tells that. NaN where the rows fit into one
        batch, and after ``partial_fit`` unless it began anew with ``n_components="auto"``.
    crosses_ : list of Cross
        Pairs of columns that are encoded as columns of their own: the names of both, and
        ``explained_variance_ratio``, the share of the pair's own effects in the variance of
        all effects. For each pair the output has, behind all columns' vectors, the effect
        of the pair of categories, beyond those of both, and, if main effects are put out,
        the total of all three. A pair that was not in ``fit`` has the effect that the
        vectors foretell, which is mostly zero, and always after ``partial_fit``.
    infrequent_categories_ : list of ndarray or None
        Categories of each column that share a vector, None where none do.
    classes_ : ndarray of shape (n_classes,) or None
        Labels of the target, of a multilabel indicator its columns' names or numbers;
        None where it is continuous.
    target_type_ : str
        Type that the target was read as, one of those that ``target_type`` takes.
    n_iter_ : int
        Passes run, and calls of ``partial_fit``.
    loss_curve_ : list of float
        Validation loss of each pass, a progressive one: each row's loss just before it is
        learned. The vectors have not seen the row, but from the second pass on the
        network's own weights have, and where few rows have many numbers they remember it.
        So with more than ten numbers a row (context columns, and an indicator for each that
        has missing values) and fewer than 300 rows for each, what a
        second network without a tenth of the rows says of these is added: the loss is then
        that of rows not seen before, while learning stops by the progressive loss alone.
        Elsewhere it is too low by up to a tenth (pure noise, 10 context beside 2
        categorical columns, mean of 16 tables: the last loss by 3.5 % for 1,000 rows, 2.3 %
        for 4,000), and by more for Dask's partitions and after a warm start, where nothing
        is added. Of each call
        of ``partial_fit`` that of its rows, which is honest in all respects unless rows
        came before.
    n_features_in_ : int
        Columns of X in ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X in ``fit``, where all of them are strings.

    See Also
    --------
    sklearn.preprocessing.TargetEncoder : One number for each category.
    sklearn.preprocessing.OneHotEncoder : One column for each category.

    Notes
    -----
    X may be a pandas or polars frame, an array, a list of rows, or, if narwhals is
    installed, any frame that it knows, as Arrow tables; the same table gives the same
    vectors in each of these forms. Each column is read by itself, a list's as well.

    Values are one category where Python calls them equal: ``1``, ``1.0``, ``True`` and
    ``Decimal(1)`` are one, and the string ``"1"`` is another. Numbers are compared exactly,
    whatever their types: ``2**53 + 1`` is no float, and 0.1 in 32 bits is not 0.1. Objects
    stay objects: no string is read as a date, and a date, in polars and Arrow too, is not
    the time at which it begins. None, NaN, ``pandas.NA`` and NaT are all the one category
    "missing". Columns of dtype ``category`` count by their values: categories without rows
    have no vector, and the order says nothing. Column names that are not strings, or that
    repeat, count as none.

    If no value of a column is known to ``transform`` because all are of another kind than
    in ``fit``, as strings of digits for numbers, a UserWarning names the column. New values
    of the same kind are no cause for one.

    References
    ----------
    Guo & Berkhahn, Entity embeddings of categorical variables, arXiv:1604.06737.
    Fan et al., Multi-epoch learning with data augmentation, arXiv:2305.19531.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sk_embed import EmbeddingEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"fruit": rng.choice(["apple", "pear", "plum"], 300)})
    >>> y = X["fruit"].map({"apple": 1.1, "pear": 2.1, "plum": 5.1})
    >>> encoder = EmbeddingEncoder(n_components=0, random_state=0).fit(X, y)
    >>> encoder.get_feature_names_out()
    array(['fruit_effect'], dtype=object)
    >>> encoder.transform(pd.DataFrame({"fruit": ["plum", "durian"]})).round(1)
    array([[1.3],
           [0. ]], dtype=float32)
    """

    def __init__(
        self,
        n_components: int | float | str = "auto",
        *,
        categorical_features: Any = "all",
        main_effects: bool = True,
        remainder: str = "drop",
        categories: Any = "auto",
        handle_unknown: str = "prior",
        min_frequency: int | float | None = None,
        max_categories: int | None = None,
        target_type: str = "auto",
        hidden_layer_sizes: str | tuple[int, ...] = "auto",
        learning_rate_init: float = 1.5e-3,
        alpha: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        tol: float = 1e-3,
        n_iter_no_change: int | str = "auto",
        crosses: Any = "auto",
        names: Any = "auto",
        counts: bool = False,
        cross_fit: bool = True,
        cross_fit_below: int | str = "auto",
        cv: Any = 5,
        init_scale: float = 0.0,
        half_life: float | None = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        dtype: Any = np.float32,
    ) -> None:
        self.n_components = n_components
        self.categorical_features = categorical_features
        self.main_effects = main_effects
        self.remainder = remainder
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.target_type = target_type
        self.hidden_layer_sizes = hidden_layer_sizes
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.crosses = crosses
        self.names = names
        self.counts = counts
        self.cross_fit = cross_fit
        self.cross_fit_below = cross_fit_below
        self.cv = cv
        self.init_scale = init_scale
        self.half_life = half_life
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype

    # ---------------------------------------------------------------- learning

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EmbeddingEncoder:
        """Learn the vectors.

        To encode the training rows use :meth:`fit_transform`:
        ``fit(X, y).transform(X)`` leaks the target into them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data frame, array or list of lists.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers or labels; several columns of numbers, or of zeros and ones. A value
            that is masked counts as missing, which is an error.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, which act as counts: a row of weight 2 is two rows, weights that
            sum to 1 are one row of evidence. A row of weight 0 is left out.

        Returns
        -------
        self : EmbeddingEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If X, y or a parameter cannot be used; the encoder is then as before.
        TypeError
            If X is sparse or lazy, or a cell holds a list or a dict; likewise.

        Warns
        -----
        UserWarning
            If ``categorical_features="all"`` makes categories of a column of floats that
            are not whole, or it or "from_dtype" of dates or times, more of them than half
            the rows, which are 200 or more. If the names of a column that ``names`` lists
            are not used. And if y has so many classes that it may be no classification,
            see ``target_type``.
        """
        with restore_on_error(self), self._fit_task(X, y, sample_weight) as end_subtask:
            training = self._read(X, y, sample_weight)
            # Folds without a splitter, which may need groups, are those of crosses.
            draw_folds = partial(self._draw_folds, number_of_folds(self.cv), X)
            self._fit(training, draw_folds, is_cross_fitted=False, end_subtask=end_subtask)
        return self

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_transform(
        self, X: Any, y: Any, sample_weight: Any = None, **params: Any
    ) -> Any:
        """Learn the vectors, and encode these very rows without leaking their targets.

        Where the full vector would leak, or may as well be spared, rows get vectors that
        were learned without their fold (see ``cross_fit_below``), so that this does not
        equal ``fit(X, y).transform(X)``. The fitted encoder is the same, except that
        crosses are judged by the folds of ``cv``, and :meth:`fit` knows those of a number
        alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data frame, array or list of lists.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers or labels; several columns of numbers, or of zeros and ones. A value
            that is masked counts as missing, which is an error.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights; a row of weight 0 is left out of learning, and encoded.
        **params : dict
            Routed to the splitter ``cv``, as ``groups``, where metadata routing is on.

        Returns
        -------
        X_trans : ndarray or data frame of shape (n_samples, n_features_out)
            The encoded rows, then the context columns if they are passed through.

        Raises
        ------
        ValueError
            If X, y or a parameter cannot be used; the encoder is then as before.
        TypeError
            If X is sparse or lazy, or a cell holds a list or a dict; likewise.

        Warns
        -----
        UserWarning
            If ``categorical_features="all"`` makes categories of a column of floats that
            are not whole, or it or "from_dtype" of dates or times, more of them than half
            the rows, which are 200 or more. If the names of a column that ``names`` lists
            are not used. And if y has so many classes that it may be no classification,
            see ``target_type``.
        """
        with restore_on_error(self), self._fit_task(X, y, sample_weight) as end_subtask:
            training = self._read(X, y, sample_weight)
            routed = routed_to_splitter(self, **params)
            draw_folds = partial(self._draw_folds, self.cv, X, **routed)
            cross_fitted = self._fit(training, draw_folds, self.cross_fit, end_subtask)
            columns = as_columns(X)
            # Rows of weight 0 are not among the training rows, but encoded all the same.
            codes = training.codes() or self._codes(columns)
            encoded = self._encode(codes, columns, cross_fitted)
            return self._output(encoded, columns, X)

    def transform(self, X: Any) -> Any:
        """Look the vectors of new rows up.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data frame, array or list of lists, with the columns of ``fit``.

        Returns
        -------
        X_trans : ndarray or data frame of shape (n_samples, n_features_out)
            The encoded rows, then the context columns if they are passed through.

        Raises
        ------
        ValueError
            If X has other columns than in ``fit``, or an unknown category under
            ``handle_unknown="error"``.
        TypeError
            If X is sparse or lazy, or a cell holds a list or a dict.

        Warns
        -----
        UserWarning
            If no value of a column is known, as all are of another kind than in ``fit``.
        """
        check_is_fitted(self)
        columns = self._read_new(X)
        return self._output(self._encode(self._codes(columns), columns), columns, X)

    def inverse_transform(self, X: Any) -> Any:
        """Return the categories whose vectors are nearest to encoded rows.

        Rows from :meth:`transform` come back exactly; of categories that have the same
        vector, as infrequent ones do, the most frequent comes back, and those that have no
        rows but are listed in ``categories`` count as unknown, unless their names say more.
        Other vectors, as means of
        vectors or training rows from :meth:`fit_transform`, come back as the category that
        is nearest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Rows as of :meth:`transform`, context columns that were passed through
            included; a data frame must have the columns' names.

        Returns
        -------
        X_original : ndarray or data frame of shape (n_samples, n_features)
            A data frame, of the same library, where X is one. The columns of ``fit`` in
            their order, less context columns that were dropped. Missing comes back as
            ``categories_`` holds it, NaN or NaT; a vector that is nearest to the origin,
            where unknown categories are unless their names say more, as None (in polars
            both are null), unless ``handle_unknown="error"``.

        Raises
        ------
        ValueError
            If X has other columns than :meth:`transform` gives, or a vector is not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_embed import EmbeddingEncoder
        >>> X = np.array([["apple"], ["pear"]] * 50, dtype=object)
        >>> encoder = EmbeddingEncoder(random_state=0).fit(X, np.arange(100) % 2 + 0.5)
        >>> encoder.inverse_transform(encoder.transform([["pear"], ["durian"]]))
        array([['pear'],
               [None]], dtype=object)
        """
        check_is_fitted(self)
        columns = as_columns(X)
        require_encoded(given_names(X), columns, self._output_names())
        with_origin = self.handle_unknown == "prior"
        decoded = self._fitted.decode(columns, with_origin)
        names = check_feature_names_in(self, None)
        if self.remainder == "drop":
            names = names[self._fitted.columns.is_categorical]
        return table_like(X, decoded, names)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns, for an encoder that was fitted without names.

        Returns
        -------
        names : ndarray of str
            ``brand_effect`` (several classes: ``brand_effect_<class>``; several outputs:
            ``brand_effect_<output>``, where the output is the name of the column of y, or
            its number), ``brand_0``, ``brand_1`` and so on; of a cross of ``brand`` and
            ``shop`` ``brand*shop_effect`` and ``brand*shop_total``; counts are
            ``brand_count`` and ``brand*shop_count``; then the names of context columns
            passed through.

        Raises
        ------
        ValueError
            If two columns would have the same name, as the effect of ``a`` and a context
            column ``a_effect`` passed through. Also
            if ``input_features`` are not the names of ``fit``, or not as many.
        """
        check_is_fitted(self)
        names = self._output_names(input_features)
        require_distinct(list(names))
        return names

    def output_features_by_column(self, input_features: Any = None) -> dict[Any, list[str]]:
        """Return the names of the output columns that belong to each input column.

        What is known of output columns, as importances or SHAP values of the next model,
        is summed over those of an input column, and a model is tested without a column by
        leaving all of its output columns out.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns, for an encoder that was fitted without names.

        Returns
        -------
        names : dict of list of str
            Keys are the names of the columns that have output: the categorical columns,
            context columns that are passed through, and for each cross the pair of its
            columns' names, as :meth:`to_frame` takes it. Each name that
            :meth:`get_feature_names_out` gives is there once. A cross belongs to neither
            of its columns alone; to test without a column, leave its crosses out as well.

        Raises
        ------
        ValueError
            As :meth:`get_feature_names_out`.

        Examples
        --------
        >>> import pandas as pd
        >>> from sk_embed import EmbeddingEncoder
        >>> X = pd.DataFrame({"fruit": ["apple", "pear"] * 50, "weight": range(100)})
        >>> encoder = EmbeddingEncoder(
        ...     1, categorical_features=["fruit"], remainder="passthrough", random_state=0
        ... )
        >>> encoder.fit(X, X["weight"] / 3).output_features_by_column()
        {'fruit': ['fruit_effect', 'fruit_0'], 'weight': ['weight']}
        """
        self.get_feature_names_out(input_features)
        by_column: dict[Any, list[str]] = {}
        for column, name in self._outputs(input_features):
            by_column.setdefault(column, []).append(name)
        return by_column

    def to_frame(self, feature: Any) -> pd.DataFrame:
        """Return the embedding table of a column.

        Parameters
        ----------
        feature : str, int or tuple of two of them
            Name of the column, or its number in X; a pair of columns for their cross.

        Returns
        -------
        frame : DataFrame of shape (n_categories, n_components_[j] + 1)
            Indexed by category, that of a cross by two; one column for each output feature,
            and ``count``, the rows of the category in ``fit``.

        Raises
        ------
        ValueError
            If the feature is not a categorical column, or the pair no cross.
        """
        check_is_fitted(self)
        inputs = check_feature_names_in(self, None)
        if isinstance(feature, tuple):
            return self._fitted.cross_to_frame(feature, inputs)
        return self._fitted.to_frame(self._column_number(feature), inputs)

    @property
    def embeddings_(self) -> list[FloatArray]:
        """Return the embedding tables: main effects, then vectors, in units of ``unit_``.

        Returns
        -------
        embeddings : list of ndarray of shape (n_categories, n_components_[j])
            Row i belongs to ``categories_[j][i]``.
        """
        return self._fitted.embeddings

    # The class docstring describes these.
    categories_ = property(attrgetter("_fitted.categories"), doc="")
    classes_ = property(attrgetter("_latest.target.classes"), doc="")
    explained_variance_ratio_ = property(
        attrgetter("_fitted.explained_variance_ratio"), doc=""
    )
    infrequent_categories_ = property(attrgetter("_fitted.infrequent_categories"), doc="")
    loss_curve_ = property(attrgetter("_latest.loss_curve"), doc="")
    n_components_ = property(attrgetter("_latest.n_components"), doc="")
    n_iter_ = property(attrgetter("_latest.n_iter"), doc="")
    reliability_ = property(attrgetter("_fitted.reliability"), doc="")
    target_type_ = property(attrgetter("_latest.target.type"), doc="")
    unit_ = property(attrgetter("_fitted.unit"), doc="")

    @property
    def crosses_(self) -> list[Cross]:
        """Return the pairs of columns that are encoded as columns of their own.

        Returns
        -------
        crosses : list of Cross
            Named tuples of two columns' names and ``explained_variance_ratio``, in the
            order of their output.
        """
        return self._fitted.described_crosses(check_feature_names_in(self, None))

    def get_metadata_routing(self) -> Any:
        """Return what metadata is routed where: ``groups`` to the splitter.

        Returns
        -------
        routing : MetadataRouter
            Router and consumer in one.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit_transform", callee="split")
        return router.add(splitter=self.cv, method_mapping=mapping)
