"""Stores from Arrow's files and tables, and back; pyarrow is imported where it is needed."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import os
from pathlib import Path

import numpy as np

from skrnn._data.sequences import Sequences

BATCH_ROWS = 65_536  # rows of a batch of Parquet, or of a table


def _pyarrow():
    try:
        import pyarrow as pa
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Arrow's data need the pyarrow package, which is missing.") from error
    return pa


def read_batches(source, X, y, sample_weight):
    """Read chunks `(X, y, sample_weight)` of columns.

    Parameters
    ----------
    source : path-like, list of path-like, or table
    X : str or list of str
    y, sample_weight : str or None

    Yields
    ------
    (X, y, sample_weight)
        X as `Sequences`, or a list of lists of str.
    """
    pa = _pyarrow()
    names = [X] if isinstance(X, str) else list(X)
    for batch in _batches(pa, source):
        chunk = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        for name in (*names, y, sample_weight):
            if name is not None and name not in chunk.column_names:
                raise ValueError(f"source has no column {name!r}; it has {chunk.column_names}.")
        if chunk.num_rows == 0:
            continue
        others = [
            None if name is None else _targets(pa, chunk[name]) for name in (y, sample_weight)
        ]
        yield (_sequences(pa, chunk, names), *others)


def _batches(pa, source):
    if isinstance(source, (list, tuple)):
        for part in source:
            yield from _batches(pa, part)
    elif isinstance(source, (str, os.PathLike)):
        yield from _batches_of_file(pa, Path(source))
    else:
        if not hasattr(source, "__arrow_c_stream__"):
            raise TypeError(
                "source must be a path, a list of paths or a table of Arrow, polars or pandas; got "
                f"{type(source).__name__}."
            )
        yield from pa.table(source).to_batches(max_chunksize=BATCH_ROWS)


def _batches_of_file(pa, path):
    try:
        if path.suffix == ".parquet":
            with pa.parquet.ParquetFile(path, memory_map=True) as file:
                yield from file.iter_batches(BATCH_ROWS)
            return
        with pa.memory_map(str(path)) as source:
            if path.suffix == ".arrows":
                yield from pa.ipc.open_stream(source)
                return
            file = pa.ipc.open_file(source)
            yield from map(file.get_batch, range(file.num_record_batches))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _sequences(pa, chunk, names):
    columns, offsets = [], None
    for name in names:
        array = chunk[name].combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # of older versions
            array = pa.concat_arrays(array.chunks)
        if not _is_list(pa, array.type):
            raise TypeError(f"The column {name!r} holds {array.type}, and no lists of steps.")
        if array.null_count:
            row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
            raise ValueError(f"The column {name!r} has no sequence in row {row} of a batch.")
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        found = np.append(0, np.cumsum(lengths, dtype=np.int64))
        if offsets is not None and not np.array_equal(found, offsets):
            raise ValueError(f"Sequences of {names[0]!r} and {name!r} differ in their lengths.")
        steps, offsets = array.flatten(), found
        if pa.types.is_dictionary(steps.type):
            steps = steps.dictionary_decode()
        if str(steps.type) in ("string", "large_string", "string_view"):
            if len(names) > 1:
                raise TypeError(f"The column {name!r} holds strings: pass it alone as X.")
            return chunk[name].to_pylist()
        columns.append(_steps(pa, steps, name))
    return Sequences(columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1), offsets)


def _is_list(pa, kind):
    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _steps(pa, steps, name):
    """Return the steps of a column end to end, (n_steps, n_features)."""
    width = 1
    if _is_list(pa, steps.type):
        sizes = np.unique(steps.value_lengths().to_numpy(zero_copy_only=False))
        if len(sizes) > 1 or steps.null_count:
            raise ValueError(f"Steps of the column {name!r} differ in their number of features.")
        width = int(sizes[0]) if len(sizes) else 1
        steps = steps.flatten()
    values = steps.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"The column {name!r} holds {steps.type}, and no numbers or strings.")
    return values.reshape(-1, width)


def _targets(pa, column):
    if _is_list(pa, column.type) or pa.types.is_dictionary(column.type):
        return column.to_pylist()
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else column.to_pylist()


def write_batches(store, path):
    """Write a store as an Arrow IPC file.

    Parameters
    ----------
    store : SequenceStore
    path : path-like
    """
    pa = _pyarrow()
    sink = writer = None
    try:
        for first, last, part in store._stored_sequences().parts():
            columns = {"X": _list_array(pa, part, store.vocabulary)}
            for name in ("y", "sample_weight"):
                values = getattr(store, name)
                if values is not None:
                    values = values[first:last]
                    columns[name] = pa.array(
                        values if isinstance(values, list) else values.tolist()
                    )
            batch = pa.record_batch(columns)
            if writer is None:
                sink = pa.OSFile(str(path), "wb")
                writer = pa.ipc.new_file(sink, batch.schema)
            writer.write_batch(batch)
        writer.close()
    finally:
        if sink is not None:
            sink.close()


def _list_array(pa, part, vocabulary):
    if vocabulary is not None:
        words = pa.array(vocabulary).take(pa.array(part.values[:, 0]))
        return pa.LargeListArray.from_arrays(part.offsets, words)
    steps = pa.array(part.values.ravel())
    if part.n_columns > 1:
        steps = pa.FixedSizeListArray.from_arrays(steps, part.n_columns)
    return pa.LargeListArray.from_arrays(part.offsets, steps)
