"""Tokens of language models on Bedrock.

Usage types name the model in AWS's own short spelling (``Claude3Sonnet-input-tokens``, ``NovaPro-output-tokens-batch``,
``qwen.qwen3-32b-mantle-input-tokens-standard``). A model is rated only under the name of the factor set: a neighbouring
version is another model, so there is no nearest match. A cache read runs no prefill of its own: a reason.
"""

import re
from typing import Final

from offgridflow.domain.reasons import Method
from offgridflow.domain.trace import TermKind, leaf
from offgridflow.methodology.aws_parts import PROVIDER, Outcome, Reading, Reason, bad_unit, not_metered, rules
from offgridflow.methodology.demand import Demand, NotRated, Tokens
from offgridflow.methodology.generic_parts import tokens_of

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
_OUTPUT: Final = re.compile(r"output|response", re.IGNORECASE)
_MILLION: Final = re.compile(r"million", re.IGNORECASE)


def _model_of(text: str) -> str | None:
    return next((name for pattern, name in _MODELS if pattern.search(text) is not None), None)


def _tokens(reading: Reading, _match: re.Match[str]) -> Outcome:
    """One unit of tokens of a named model; the Marketplace edition names it in the service and counts in millions."""
    sku = reading.sku
    text = f"{reading.meter} {sku.service_name or ''} {sku.description or ''}"
    count = tokens_of(reading.unit)
    if count is None and _MILLION.search(sku.description or ""):
        count = leaf(1e6, TermKind.CONVERSION, "tokens in one unit of the description", "tokens")
    if count is None:
        return bad_unit(reading, "tokens")
    model = _model_of(text)
    if model is None or reading.factors.ai_model(PROVIDER, model) is None:
        return NotRated(Reason.UNKNOWN_AI_MODEL, model or reading.meter)
    given, made = (0.0, count) if _OUTPUT.search(reading.meter) else (count, 0.0)
    return Demand(Method.AI_TOKENS, (Tokens(model, given, made),))


BEDROCK: Final = rules(
    (r"cache-?read", not_metered("tokens read from a cache")),
    (r"image|video|audio|speech|second", not_metered("media made or read, not tokens")),
    (
        r"Provisioned|ModelUnit|TPM|Reserved|Customi[sz]ation|Storage|Guardrail|Retrieve|Rerank|Flow|Agent",
        not_metered("model units and features around the model"),
    ),
    (r"token", _tokens),
)
