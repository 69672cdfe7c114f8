"""Taking secrets out of whatever is about to be shown: texts, URLs, headers, mappings.

Two nets: names that announce a secret (a header, a query parameter, a key of a mapping), and shapes that are one
(bearer tokens, AWS key ids, JSON web tokens, private keys). A third one, for the secrets that the settings hold, is
exact: whatever was registered is replaced wherever it turns up.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

HIDDEN: Final = "***"

_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "secret", "token", "signature", "apikey", "accesskey", "accountkey",
    "privatekey", "sharedkey", "credential", "authorization", "cookie", "connectionstring", "assertion",
)  # fmt: skip
_SECRET_NAMES: Final = frozenset({"sig", "sas", "key", "pwd", "auth", "jwt", "pat"})
_NOT_LETTERS: Final = re.compile(r"[^a-z0-9]")

_PAIR: Final = re.compile(
    r"""(?P<name>["']?[A-Za-z][\w.$%-]{0,80}["']?)(?P<sep>\s{0,4}(?:=(?!=)|:(?!//))\s{0,4})"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?:(?:Bearer|Basic|SharedKey|AWS4-HMAC-SHA256)\s+)?[^\s&;,"'<>]+)""",
)
_USER_INFO: Final = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")
_SHAPES: Final = (
    re.compile(r"\b(?:Bearer|Basic|SharedKey)\s+[A-Za-z0-9+/=._~:-]{8,}", re.IGNORECASE),
    re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,4}"),
    re.compile(r"\bya29\.[A-Za-z0-9_.-]+|\bAIza[A-Za-z0-9_-]{30,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)


class Secret:
    """A text that shows itself to nobody by accident: no repr, no str, no pickle, no comparison by order.

    ``reveal`` gives it to the one place that needs it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, format_spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        sentence = "A secret is not stored or sent; reveal it where it is needed."
        raise TypeError(sentence)


def is_secret_name(name: str) -> bool:
    """Return whether a header, parameter or key of this name holds a secret."""
    plain = _NOT_LETTERS.sub("", name.lower())
    return plain in _SECRET_NAMES or any(part in plain for part in _SECRET_PARTS)


class Redactor:
    """Takes out secrets by name, by shape, and those that it was told of.

    Args:
        secrets: values that must never be shown, also in their URL-encoded forms; those under four characters are left
            aside, because replacing them would make texts unreadable without hiding anything.

    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values: set[str] = set()
        for secret in secrets:
            text = secret.reveal()
            if len(text) >= _SHORTEST:
                values |= {text, quote(text, safe=""), quote(text), quote_plus(text)}
        self._values = sorted(values, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return ``text`` without secrets; also right for URLs."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        text = _USER_INFO.sub(HIDDEN, text)
        text = _PAIR.sub(_hide_pair, text)
        for shape in _SHAPES:
            text = shape.sub(HIDDEN, text)
        return text

    def value(self, name: str, value: object) -> object:
        """Return what may be shown of ``value`` under ``name``: numbers as they are, all else without secrets."""
        if isinstance(value, Mapping):
            return HIDDEN if is_secret_name(name) else self.mapping(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if is_secret_name(name):
            return HIDDEN
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(name, each) for each in value]
        return self.text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))

    def mapping(self, mapping: Mapping[str, object]) -> dict[str, object]:
        """Return a copy of ``mapping`` (headers, parameters, settings), at any depth, without secrets."""
        return {str(name): self.value(str(name), value) for name, value in mapping.items()}


_SHORTEST: Final = 4


def _hide_pair(match: re.Match[str]) -> str:
    name = match["name"].strip("\"'")
    shown = HIDDEN if is_secret_name(name) else _PAIR.sub(_hide_pair, match["value"])  # a value may be a URL with pairs
    return f"{match['name']}{match['sep']}{shown}"


_DEFAULT: Final = Redactor()


def redact_text(text: str) -> str:
    """Return ``text`` without secrets that can be told by name or shape."""
    return _DEFAULT.text(text)


def redact_mapping(mapping: Mapping[str, object]) -> dict[str, object]:
    """Return a copy of ``mapping`` without secrets that can be told by name or shape."""
    return _DEFAULT.mapping(mapping)
