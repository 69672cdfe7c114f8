"""Names that identify things: provider slugs, sources, digests."""

import hashlib
import json
import re
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii

_PROVIDER_WORDS = (
    ("aws", ("aws", "amazon")),
    ("azure", ("azure", "microsoft")),
    ("gcp", ("gcp", "google")),
)
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def provider_slug(name: str) -> str:
    """Return the provider slug of a provider's display name.

    >>> provider_slug("Amazon Web Services"), provider_slug("Microsoft"), provider_slug("Oracle Cloud")
    ('aws', 'azure', 'oracle-cloud')
    """
    lowered = name.strip().lower()
    for slug, words in _PROVIDER_WORDS:
        if any(word in lowered for word in words):
            return slug
    return _NOT_SLUG.sub("-", lowered).strip("-") or "unknown"


def canonical(content: object) -> str:
    """Return the canonical JSON of ``content``: no blanks, sorted keys, ASCII.

    Only None, bool, int, float, str, and lists, tuples and dicts of them are accepted; NaN and infinities raise
    ValueError.
    """
    return _CANONICAL.encode(content)


def canonical_texts(texts: Sequence[str | None]) -> str:
    r"""Return what ``canonical`` returns for a list of texts and None, in half the time.

    >>> canonical_texts(['a "word"', None])
    '["a \\"word\\"",null]'
    """
    return f"[{','.join(['null' if text is None else encode_basestring_ascii(text) for text in texts])}]"


def digest_of(content: object) -> str:
    """Return the SHA-256 (hex, 64 characters) of the canonical JSON of ``content``.

    Equal content has an equal digest on every machine and in every process.
    """
    return digest_of_text(canonical(content))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 (hex, 64 characters) of a text that is canonical JSON already."""
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint_of(part_digests: Sequence[str]) -> str:
    """Return the fingerprint of a delivery: order-independent, and a part that comes twice counts once."""
    return digest_of(sorted(set(part_digests)))
