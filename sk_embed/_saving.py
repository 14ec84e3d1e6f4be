"""Fitted encoders in files of plain arrays and JSON."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeVar

from sklearn.utils.validation import check_is_fitted

_Encoder = TypeVar("_Encoder", bound="SaveMixin")


class SaveMixin:
    """Gives an estimator ``save`` and ``load``."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted encoder to a file that :meth:`load` reads without running code.

        The file holds parameters, fitted attributes and the state of ``set_output``, as
        plain arrays and JSON: categories with their types, so that the loaded encoder
        gives the same bits, and ``warm_start`` goes on as from this one, as does
        ``partial_fit`` unless it was called before. It holds neither callbacks nor metadata
        requests. A file of this name is replaced at once, and left whole if anything fails.

        Parameters
        ----------
        path : str or path-like
            Name of the file, which mostly ends in ``.zip``.

        Raises
        ------
        TypeError
            If a category, a label or a parameter is of a type that cannot be written, as
            a splitter in ``cv`` or a RandomState instance; an encoder is written after
            ``set_params(cv=5)`` as well, for this changes nothing that is fitted.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sk_embed import EmbeddingEncoder
        >>> encoder = EmbeddingEncoder(random_state=0).fit([["a"], ["b"]] * 9, [1.5, 2] * 9)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "encoder.zip"
        ...     encoder.save(path)
        ...     loaded = EmbeddingEncoder.load(path)
        >>> X = [["a"], ["b"], ["c"]]
        >>> bool((loaded.transform(X) == encoder.transform(X)).all())
        True
        """
        from sk_embed._persistence import members_of, write_archive

        check_is_fitted(self)
        write_archive(Path(path), members_of(self))

    @classmethod
    def load(cls: type[_Encoder], path: str | PathLike[str]) -> _Encoder:
        """Read an encoder that :meth:`save` wrote.

        No code from the file is run, and no more memory is taken than a small multiple
        of its size.

        Parameters
        ----------
        path : str or path-like
            Name of a file that :meth:`save` wrote.

        Returns
        -------
        encoder : EmbeddingEncoder
            Fitted.

        Raises
        ------
        ValueError
            If the file is damaged, is of a later version, or is no encoder's.
        OSError
            If there is no such file, or it cannot be read.
        """
        from sk_embed._persistence import read_archive, restored

        try:
            return restored(cls, read_archive(Path(path)))
        except ValueError as error:
            raise ValueError(f"{str(path)!r} cannot be loaded: {error}.") from error
