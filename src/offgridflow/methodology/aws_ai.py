"""Tokens of language models on Bedrock.

Usage types name the model in AWS's own short spelling (``Claude3Sonnet-input-tokens``, ``NovaPro-output-tokens-batch``,
``qwen.qwen3-32b-mantle-input-tokens-standard``). A model is rated only under the name of the factor set: a neighbouring
version is another model, so there is no nearest match. A cache read runs no prefill of its own: a reason.
"""

import re
from typing import Final

from offgridflow.domain.reasons import Method
from offgridflow.domain.trace import TermKind, leaf
from offgridflow.methodology.ai_names import model_of
from offgridflow.methodology.aws_parts import PROVIDER, Outcome, Reading, Reason, bad_unit, not_metered, rules
from offgridflow.methodology.demand import Demand, NotRated, Tokens
from offgridflow.methodology.generic_parts import CACHED_TOKENS, tokens_of

_OUTPUT: Final = re.compile(r"output|response", re.IGNORECASE)
_MILLION: Final = re.compile(r"million", re.IGNORECASE)


def _tokens(reading: Reading, _match: re.Match[str]) -> Outcome:
    """One unit of tokens of a named model; the Marketplace edition names it in the service and counts in millions."""
    sku = reading.sku
    text = f"{reading.meter} {sku.service_name or ''} {sku.description or ''}"
    count = tokens_of(reading.unit)
    if count is None and _MILLION.search(sku.description or ""):
        count = leaf(1e6, TermKind.CONVERSION, "tokens in one unit of the description", "tokens")
    if count is None:
        return bad_unit(reading, "tokens")
    model = model_of(text)
    if model is None or reading.factors.ai_model(PROVIDER, model) is None:
        return NotRated(Reason.UNKNOWN_AI_MODEL, model or reading.meter)
    given, made = (0.0, count) if _OUTPUT.search(reading.meter) else (count, 0.0)
    return Demand(Method.AI_TOKENS, (Tokens(model, given, made),))


BEDROCK: Final = rules(
    (r"cache-?read", lambda _reading, _match: CACHED_TOKENS),
    (r"image|video|audio|speech|second", not_metered("media made or read, not tokens")),
    (
        r"Provisioned|ModelUnit|TPM|Reserved|Customi[sz]ation|Storage|Guardrail|Retrieve|Rerank|Flow|Agent",
        not_metered("model units and features around the model"),
    ),
    (r"token", _tokens),
)
