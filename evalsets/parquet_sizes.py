"""How large Parquet is once it is decoded: a value that repeats a million times is written once, and takes no room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS = 1024
"""Of a batch."""
ELEMENT_BYTES = 16
"""What a value is counted as at least, and an element of a list besides its content: its place, and its levels."""


def batches(path: Path, metadata: Any) -> Iterator[Any]:
    """Yield a file in batches of few rows, texts as references to dictionaries, so that repeated ones take no room.

    Arrow cannot read texts within lists so where their dictionary ends within a group of rows; these are written out.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    texts = [one.path for one in _columns(metadata.schema) if one.physical_type == "BYTE_ARRAY"]
    own = [name for name in texts if "." not in name]
    with (
        parquet.ParquetFile(path, read_dictionary=texts) as file,
        parquet.ParquetFile(path, read_dictionary=own) as plain,
    ):
        for group in range(metadata.num_row_groups):
            done = 0
            try:
                for batch in file.iter_batches(ROWS, row_groups=[group]):
                    yield batch
                    done += batch.num_rows
            except arrow.ArrowNotImplementedError:
                for batch in plain.iter_batches(ROWS // 64, row_groups=[group]):
                    if done < batch.num_rows:
                        yield batch.slice(done)
                    done = max(0, done - batch.num_rows)


def promised_bytes(metadata: Any) -> int:
    """Return the least that a file decodes to by its own account, before anything is read.

    Texts are counted as references here; what they take is counted as they come.
    """
    widths = [
        max(one.length, ELEMENT_BYTES) if one.physical_type == "FIXED_LEN_BYTE_ARRAY" else ELEMENT_BYTES
        for one in _columns(metadata.schema)
    ]
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    values = sum(group.column(at).num_values * width for group in groups for at, width in enumerate(widths))
    return int(max(values, sum(group.total_byte_size for group in groups)))


def written_out(batch: Any) -> Any:
    """Return a batch with the values of its own columns in place of references to them."""
    import pyarrow as arrow

    columns = [one.dictionary_decode() if arrow.types.is_dictionary(one.type) else one for one in batch.columns]
    return arrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def decoded_bytes(batch: Any) -> int:
    """Return what a batch takes with every value written out."""
    return sum(map(_decoded, batch.columns))


def _decoded(array: Any) -> int:
    import pyarrow as arrow
    import pyarrow.compute as compute

    kind = array.type
    if isinstance(array, arrow.ExtensionArray):
        return _decoded(array.storage)
    if arrow.types.is_dictionary(kind):
        indices = array.indices.drop_null()
        if not len(indices):
            return 0
        if arrow.types.is_nested(kind.value_type) or not _is_text(kind.value_type):
            each = -(-_decoded(array.dictionary) // max(1, len(array.dictionary)))
            return len(indices) * max(each, ELEMENT_BYTES)
        used, counts = indices.value_counts().flatten()  # the dictionary is that of many batches
        lengths = compute.binary_length(array.dictionary.take(used)).cast(arrow.int64())
        return int(compute.sum(compute.multiply(lengths, counts)).as_py() or 0) + ELEMENT_BYTES * len(indices)
    if arrow.types.is_struct(kind):
        return sum(map(_decoded, array.flatten())) + ELEMENT_BYTES * len(array)
    if arrow.types.is_map(kind):
        inner = array.offsets[0].as_py(), array.offsets[len(array)].as_py()
        parts = (part.slice(inner[0], inner[1] - inner[0]) for part in (array.keys, array.items))
        return sum(map(_decoded, parts)) + ELEMENT_BYTES * len(array)
    if arrow.types.is_nested(kind) and hasattr(array, "flatten"):
        inner_values = array.flatten()
        return _decoded(inner_values) + ELEMENT_BYTES * (len(inner_values) + len(array))
    return int(array.nbytes)


def _is_text(kind: Any) -> bool:
    import pyarrow as arrow

    return bool(
        arrow.types.is_string(kind)
        or arrow.types.is_large_string(kind)
        or arrow.types.is_binary(kind)
        or arrow.types.is_large_binary(kind)
    )


def _columns(schema: Any) -> Iterator[Any]:
    return (schema.column(at) for at in range(len(schema)))
