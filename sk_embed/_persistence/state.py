"""What of a fitted encoder is in a file: the one place that knows both.

``members_of`` and ``restored`` are each other's inverse. Reading trusts nothing: each
member's dtype and shape must fit those read before it, and each value its range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._columns.context import ContextScaler
from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import TARGET_TYPES, Target
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._engine.network.trunk import Trunk
from sk_embed._fitted import FittedEncoding
from sk_embed._persistence.crosses import (
    cross_members,
    crosses_to_json,
    restored_crosses,
)
from sk_embed._persistence.members import (
    Document,
    Members,
    array_to_bytes,
    json_to_bytes,
)
from sk_embed._persistence.names import name_members, names_to_json, restored_names
from sk_embed._persistence.resume import restored_resume, resume_members
from sk_embed._persistence.values import from_json, from_runs, to_json, to_runs
from sk_embed._settings import LOSSES
from sk_embed._sklearn_compat import output_container, validate_parameters

FORMAT = "sk-embed encoder"
VERSION = 2

_OUTPUTS = ("default", "pandas", "polars")
_Encoder = TypeVar("_Encoder")
# Errors that may be raised later by values that fit their dtype and shape, but not each
# other.
_NOT_AS_WRITTEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)

# ----------------------------------------------------------------- writing


def members_of(encoder: Any) -> dict[str, bytes]:
    """Return the members of a fitted encoder's file, by name.

    Raises
    ------
    TypeError
        If a category or a parameter is of a type that cannot be written.
    """
    fitted: FittedEncoding = encoder._fitted
    columns = fitted.columns
    document = {
        "format": FORMAT,
        "version": VERSION,
        "parameters": {
            name: _parameter_to_json(name, value)
            for name, value in encoder.get_params(deep=False).items()
        },
        "output": output_container(encoder),
        "column_names": _column_names(columns),
        "has_feature_names": hasattr(encoder, "feature_names_in_"),
        "target_type": fitted.target.type,
        "effect_names": fitted.effect_names,
        "output_names": fitted.target.output_names,
        "crosses": crosses_to_json(fitted.crosses),
        "names": names_to_json(fitted.name_priors),
        "with_counts": fitted.with_counts,
        "unit": fitted.unit,
        "loss_curve": fitted.loss_curve,
        "total_weight": None if fitted.resume is None else fitted.resume.total_weight,
        "trunk": {
            "n_inputs": fitted.trunk.n_inputs,
            "hidden_layer_sizes": fitted.trunk.hidden_layer_sizes,
            "n_outputs": fitted.trunk.n_outputs,
        },
    }
    members = {
        "encoder.json": json_to_bytes(document),
        "is_categorical.npy": array_to_bytes(columns.is_categorical),
        "context/center.npy": array_to_bytes(columns.scaler.center),
        "context/scale.npy": array_to_bytes(columns.scaler.scale),
        "context/with_indicator.npy": array_to_bytes(columns.scaler.with_indicator),
        "trunk.npy": array_to_bytes(fitted.trunk.parameters),
    }
    for j in range(len(columns.vocabularies)):
        members |= _column_members(fitted, j)
    members |= cross_members(fitted.crosses)
    members |= name_members(fitted.name_priors)
    members |= _target_members(fitted.target)
    if fitted.resume is not None:
        members |= resume_members(fitted.resume)
    return members


def _target_members(target: Target) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    if target.classes is not None:
        members |= _values_member("classes", target.classes, "The target")
    if target.center is not None and target.scale is not None:
        members["target/center.npy"] = array_to_bytes(target.center)
        members["target/scale.npy"] = array_to_bytes(target.scale)
    return members


def _column_members(fitted: FittedEncoding, j: int) -> dict[str, bytes]:
    vocabulary = fitted.columns.vocabularies[j]
    folder = f"columns/{j}"
    arrays = {
        "counts": vocabulary.counts.astype(np.int64),
        "is_infrequent": vocabulary.is_infrequent,
        "embeddings": fitted.embeddings[j],
        "explained_variance_ratio": fitted.explained_variance_ratio[j],
        "reliability": fitted.reliability[j],
    }
    owner = f"Column {vocabulary.name!r}"
    return {
        **_values_member(f"{folder}/categories", vocabulary.categories, owner),
        **{f"{folder}/{name}.npy": array_to_bytes(arrays[name]) for name in arrays},
    }


def _values_member(name: str, values: NDArray[Any], owner: str) -> dict[str, bytes]:
    if values.dtype != object:
        return {f"{name}.npy": array_to_bytes(values)}
    try:
        return {f"{name}.json": json_to_bytes(to_runs(values))}
    except TypeError as error:
        raise TypeError(
            f"{owner} holds a value that cannot be written, of type {error}; make such "
            "values strings or numbers before fit, or pickle the encoder."
        ) from error


def _parameter_to_json(name: str, value: Any) -> list[Any]:
    try:
        return to_json(value)
    except TypeError as error:
        raise TypeError(
            f"The parameter {name} holds a value that cannot be written, of type {error}; "
            f"set another by set_params({name}=...), which changes no vector of a fitted "
            "encoder, or pickle the encoder."
        ) from error


def _column_names(columns: TableColumns) -> list[str]:
    """Return the names of all columns of X, in its order."""
    names = np.empty(len(columns.is_categorical), dtype=object)
    names[columns.is_categorical] = [v.name for v in columns.vocabularies]
    names[~columns.is_categorical] = columns.scaler.names
    return names.tolist()


# ----------------------------------------------------------------- reading


def restored(make: Callable[..., _Encoder], contents: Mapping[str, bytes]) -> _Encoder:
    """Return the encoder that :func:`members_of` wrote.

    Parameters
    ----------
    make : callable
        Class of the estimator, which is called with the parameters that the file holds.
    contents : mapping of str to bytes
        Content of each member of the archive, by its name.

    Raises
    ------
    ValueError
        If they do not make an encoder.
    """
    try:
        return _restored(make, Members(contents))
    except _NOT_AS_WRITTEN as error:
        raise ValueError(" ".join(str(error).split())) from error


def _restored(make: Callable[..., Any], members: Members) -> Any:
    document = Document(members.json("encoder.json"))
    _require_version(document)
    encoder = _restored_parameters(make, document)
    names = document.list_of("column_names", str)
    is_categorical = members.array("is_categorical.npy", "b", (len(names),))
    if not is_categorical.any():
        raise ValueError("no column is categorical")
    context_names = [names[place] for place in np.flatnonzero(~is_categorical)]
    scaler = _restored_scaler(context_names, members)
    encoder._keep(_restored_encoding(names, is_categorical, scaler, document, members))
    encoder.n_features_in_ = len(names)
    if document.get("has_feature_names", bool):
        encoder.feature_names_in_ = np.array(names, dtype=object)
    members.require_none_left()
    return encoder


def _restored_encoding(
    names: list[str],
    is_categorical: BoolArray,
    scaler: ContextScaler,
    document: Document,
    members: Members,
) -> FittedEncoding:
    trunk = _restored_trunk(Document(document.get("trunk", dict)), members)
    target, effect_names = _restored_target(trunk.n_outputs, document, members)
    unit = document.get("unit", float)
    loss_curve = document.list_of("loss_curve", float)
    if not all(map(isfinite, [unit, *loss_curve])) or unit <= 0:
        raise ValueError("its 'unit' or 'loss_curve' is out of range")
    columns = [
        _restored_column(names[place], f"columns/{j}", len(effect_names), members)
        for j, place in enumerate(np.flatnonzero(is_categorical))
    ]
    learned = TableColumns(is_categorical, [c.vocabulary for c in columns], scaler)
    crosses = restored_crosses(
        document.entries.get("crosses", []),
        learned.vocabularies,
        trunk.n_outputs,
        len(effect_names) > 0,
        members,
    )
    tables = [column.table for column in columns]
    n_groups = len(list(LOSSES[target.type]().joint_outputs(trunk.n_outputs)))
    shape = n_groups, len(columns) + len(crosses)
    n_vectors = trunk.n_inputs - scaler.n_outputs
    return FittedEncoding(
        columns=learned,
        target=target,
        with_effects=len(effect_names) > 0,
        tables=tables,
        explained_variance_ratio=[column.explained_variance_ratio for column in columns],
        reliability=[column.reliability for column in columns],
        unit=unit,
        trunk=trunk,
        loss_curve=loss_curve,
        resume=restored_resume(
            tables, n_vectors, trunk.n_outputs, shape, document, members
        ),
        crosses=crosses,
        name_priors=restored_names(
            document.entries.get("names", []), [t.shape[1] for t in tables], members
        ),
        with_counts=_restored_with_counts(document),
    )


def _restored_with_counts(document: Document) -> bool:
    """Return whether counts are put out, which files from before do not say."""
    if "with_counts" not in document.entries:
        return False
    return bool(document.get("with_counts", bool))


def _require_version(document: Document) -> None:
    if document.get("format", str) != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    version = document.get("version", int)
    if version > VERSION:
        raise ValueError(
            f"its format is of version {version}, but this version of sk-embed reads up "
            f"to {VERSION}; upgrade sk-embed"
        )
    if version < 1:
        raise ValueError(f"there is no version {version} of its format")


def _restored_parameters(make: Callable[..., Any], document: Document) -> Any:
    """Return an encoder with the parameters of the file; those it lacks at defaults."""
    pairs = document.get("parameters", dict)
    encoder = make()
    unknown = pairs.keys() - encoder.get_params(deep=False).keys()
    if unknown:
        raise ValueError(f"it has a parameter {min(unknown)!r}, which is not known")
    encoder = make(**{name: from_json(pair) for name, pair in pairs.items()})
    validate_parameters(encoder)
    output = document.entries.get("output")
    if output is not None:
        if output not in _OUTPUTS:
            raise ValueError(f"its 'output' is none of {_OUTPUTS}")
        encoder.set_output(transform=output)
    return encoder


def _restored_trunk(layout: Document, members: Members) -> Trunk:
    n_inputs, n_outputs = layout.get("n_inputs", int), layout.get("n_outputs", int)
    sizes = layout.list_of("hidden_layer_sizes", int)
    if min(n_inputs, n_outputs, *sizes) < 1:
        raise ValueError(f"a network of layers {[n_inputs, *sizes, n_outputs]}")
    # The skip is beside the first layer, and the last layer has no biases.
    below = [(n_inputs, (sizes[0] if sizes else 0) + n_outputs), *pairwise(sizes)]
    n_parameters = sum(m * n + n for m, n in below)
    n_parameters += sizes[-1] * n_outputs if sizes else 0
    parameters = members.floats("trunk.npy", (n_parameters,))
    trunk = Trunk(n_inputs, tuple(sizes), n_outputs, parameters.dtype)
    trunk.parameters[:] = parameters
    return trunk


def _restored_scaler(names: list[str], members: Members) -> ContextScaler:
    shape = (len(names),)
    center = members.floats("context/center.npy", shape)
    scale = members.floats("context/scale.npy", shape)
    if not (scale > 0).all():
        raise ValueError("the scale of a context column is not positive")
    with_indicator = members.array("context/with_indicator.npy", "b", shape)
    return ContextScaler(names, center, scale, with_indicator)


class _Column(NamedTuple):
    """What is kept of a categorical column."""

    vocabulary: Vocabulary
    table: FloatArray
    explained_variance_ratio: FloatArray
    reliability: FloatArray


def _restored_column(name: str, folder: str, n_effects: int, members: Members) -> _Column:
    vocabulary = _restored_vocabulary(name, folder, members)
    table = _restored_table(len(vocabulary.categories), folder, members)
    n_axes = (table.shape[1] - n_effects,)
    share = members.floats(f"{folder}/explained_variance_ratio.npy", n_axes)
    # NaN where there were too few rows to tell.
    reliability = members.array(f"{folder}/reliability.npy", "f", n_axes)
    return _Column(vocabulary, table, share, reliability)


def _restored_vocabulary(name: str, folder: str, members: Members) -> Vocabulary:
    categories = _restored_values(f"{folder}/categories", "iufmM", members)
    shape = (len(categories),)
    counts = members.array(f"{folder}/counts.npy", "i", shape)
    is_infrequent: BoolArray = members.array(f"{folder}/is_infrequent.npy", "b", shape)
    if (counts < 0).any():
        raise ValueError(f"column {name!r} has categories of fewer than no rows")
    if pd.isna(categories).sum() > 1:
        raise ValueError(f"column {name!r} has two missing categories")
    if not pd.Index(categories, dtype=categories.dtype).is_unique:
        raise ValueError(f"column {name!r} has a category twice")
    return Vocabulary(name, categories, counts.astype(np.intp), is_infrequent)


def _restored_table(n_categories: int, folder: str, members: Members) -> FloatArray:
    """Return the vectors, and behind them the origin, which unknown categories get."""
    vectors = members.floats(f"{folder}/embeddings.npy", (n_categories, None))
    return np.concatenate([vectors, np.zeros_like(vectors, shape=(1, vectors.shape[1]))])


def _restored_values(name: str, kinds: str, members: Members) -> NDArray[Any]:
    if f"{name}.npy" in members:
        return members.array(f"{name}.npy", kinds, (None,))
    return from_runs(members.json(f"{name}.json"))


def _restored_target(
    n_outputs: int, document: Document, members: Members
) -> tuple[Target, list[str]]:
    """Return the target, without values, and the names of the effects in the tables."""
    target_type = document.get("target_type", str)
    if target_type not in TARGET_TYPES:
        raise ValueError(f"its 'target_type' is none of {TARGET_TYPES}")
    classes = center = scale = None
    if not target_type.startswith("continuous"):
        classes = _restored_values("classes", "biufUS", members)
        if target_type != "binary" and len(classes) != n_outputs:
            raise ValueError(f"{len(classes)} classes but {n_outputs} outputs")
    elif document.get("version", int) > 1:
        center = members.floats("target/center.npy", (n_outputs,))
        scale = members.floats("target/scale.npy", (n_outputs,))
        if not (scale > 0).all():
            raise ValueError("the scale of the target is not positive")
    effect_names = document.list_of("effect_names", str)
    if len(effect_names) not in (0, n_outputs):
        raise ValueError(f"{len(effect_names)} effects but {n_outputs} outputs")
    names = _restored_output_names(effect_names, document)
    target = Target(target_type, classes, np.empty((0, n_outputs)), names, center, scale)
    if effect_names not in ([], target.effect_names):
        raise ValueError("its 'effect_names' are not those of its 'output_names'")
    return target, effect_names


def _restored_output_names(effect_names: list[str], document: Document) -> list[str] | None:
    """Return the names of the outputs, which version 1 holds in those of the effects."""
    if document.get("version", int) == 1:
        is_single = effect_names in ([], ["effect"])
        return None if is_single else [n.removeprefix("effect_") for n in effect_names]
    if document.entries.get("output_names") is None:
        return None
    return document.list_of("output_names", str)
