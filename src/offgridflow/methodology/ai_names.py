"""Names of language models of third parties, as the clouds that resell them write them, to the factor set's.

A neighbouring version is another model, so there is no nearest match.
"""

import re
from typing import Final

_CLAUDE: Final = r"claude[- .]?"


def _claude(size: str, version: str) -> str:
    """Return a pattern for both orders of words, version not followed by more of a version."""
    digits = version.replace(".", r"[-. ]?")
    end = r"(?![-.]?\d(?!\d{3}))"
    return rf"{_CLAUDE}(?:{size}[- ]?v?{digits}{end}|{digits}{end}[- ]?{size})"


_MODELS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (_claude("opus", "4.5"), "claude-opus-4-5-20251101"),
        (_claude("opus", "4.6"), "claude-opus-4-6"),
        (_claude("opus", "4.7"), "claude-opus-4-7"),
        (_claude("opus", "4.8"), "claude-opus-4-8"),
        (_claude("opus", "5.5"), "claude-opus-5-5"),
        (_claude("opus", "5"), "claude-opus-5"),
        (_claude("sonnet", "4.5"), "claude-sonnet-4-5-20250929"),
        (_claude("sonnet", "4.6"), "claude-sonnet-4-6"),
        (_claude("sonnet", "5.5"), "claude-sonnet-5-5"),
        (_claude("sonnet", "5"), "claude-sonnet-5"),
        (_claude("haiku", "4.5"), "claude-haiku-4-5-20251001"),
        (_claude("haiku", "5.5"), "claude-haiku-5-5"),
        (r"llama[- ]?3[-. ]1[- ]?8b", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
        (r"llama[- ]?3[-. ]1[- ]?70b", "meta-llama/Meta-Llama-3.1-70B-Instruct"),
        (r"llama[- ]?3[-. ]1[- ]?405b", "meta-llama/Meta-Llama-3.1-405B-Instruct"),
        (r"llama[- ]?3[- ]?8b", "meta-llama/Meta-Llama-3-8B-Instruct"),
        (r"llama[- ]?3[- ]?70b", "meta-llama/Meta-Llama-3-70B-Instruct"),
        (r"llama[- ]?2[- ]?(?:chat)?[- ]?13b", "meta-llama/Llama-2-13b-chat-hf"),
        (r"llama[- ]?2[- ]?(?:chat)?[- ]?70b", "meta-llama/Llama-2-70b-chat-hf"),
        (r"mistral[- ]?7b", "mistralai/Mistral-7B-Instruct-v0.2"),
        (r"mixtral[- ]?8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1"),
        (r"mistral[- ]?large[- ]?2407", "mistralai/Mistral-Large-Instruct-2407"),
        (r"gpt[- ]?oss[- ]?120b", "openai/gpt-oss-120b"),
        (r"gpt[- ]?oss[- ]?20b", "openai/gpt-oss-20b"),
    )
)


def model_of(text: str) -> str | None:
    """Return the factor set's name of the model that a text names, or None.

    >>> model_of("Claude Sonnet 4.5 Input Tokens"), model_of("Claude Sonnet 4 Input Tokens")
    ('claude-sonnet-4-5-20250929', None)
    """
    return next((name for pattern, name in _MODELS if pattern.search(text) is not None), None)
