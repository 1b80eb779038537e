"""Timestamps on the wire: structs, which fakesnow fills with the year 1970 where there is no value."""

import pyarrow as pa


def with_missing(encoded: pa.Table, plain: pa.Table) -> pa.Table:
    """The encoded result, with no value where the plain one has none."""
    columns = [_masked(mine, theirs) for mine, theirs in zip(encoded.columns, plain.columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=encoded.schema)


def _masked(encoded: pa.ChunkedArray, plain: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if not pa.types.is_struct(encoded.type) or not pa.types.is_timestamp(plain.type):
        return encoded
    whole = pa.concat_arrays(encoded.chunks) if encoded.chunks else pa.array([], encoded.type)
    missing = (
        pa.concat_arrays([chunk.is_null() for chunk in plain.chunks]) if plain.chunks else pa.array([], pa.bool_())
    )
    fields = list(whole.type)
    # the parts of a value are declared to be never null
    parts = [whole.field(at).fill_null(0) for at in range(len(fields))]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=missing)
