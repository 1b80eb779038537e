"""Shapes of texts: what codes, numbers and names look like, whatever they say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from etl_framework import Pattern

if TYPE_CHECKING:
    import pyarrow as pa

_CLASSES = ((r"\p{Nd}", "9"), (r"[\p{Lu}\p{Lt}]", "A"), (r"[\p{Ll}\p{Lm}\p{Lo}]", "a"))
_MOST_EXACT = 20
"""With more shapes than these, runs of letters and digits count as one whatever their lengths."""
FEW, COVERED = 3, 0.9
"""Texts are alike when so few shapes cover so much of them."""


def shapes(texts: pa.Array) -> pa.Array:
    """The shape of each text: ``Ab-12`` has ``Aa-99``."""
    import pyarrow.compute as pc

    for letters, sign in _CLASSES:
        texts = pc.replace_substring_regex(texts, letters, sign)
    return texts


def patterns_of(sampled: pa.Array, most: int) -> tuple[tuple[Pattern, ...], float | None]:
    """The most frequent shapes of sampled texts.

    :param sampled: without nulls.
    :param most: how many patterns to give.
    :returns: the patterns, and the share of texts that have one of the few usual shapes; None where there are no such.
    """
    import pyarrow.compute as pc

    if not len(sampled):
        return (), None
    found = shapes(sampled)
    if len(found.unique()) > _MOST_EXACT:
        for _, sign in _CLASSES:
            found = pc.replace_substring_regex(found, f"{sign}+", f"{sign}+")
    counts = Counter(found.to_pylist())
    examples: dict[str, str] = {}
    for shape, text in zip(found.to_pylist(), sampled.to_pylist(), strict=True):
        examples[shape] = min(text, examples.get(shape, text))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    usual = sum(count for _, count in ranked[:FEW]) / len(sampled)
    patterns = tuple(
        Pattern(shape=shape, share=count / len(sampled), example=examples[shape]) for shape, count in ranked[:most]
    )
    return patterns, usual if usual >= COVERED else None
