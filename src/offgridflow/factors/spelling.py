"""The one spelling under which names are looked up."""

import re
from functools import lru_cache

_PROVIDERS = {
    "oci": "oracle",
    "oracle-cloud": "oracle",
    "oracle-cloud-infrastructure": "oracle",
    "alibaba-cloud": "alibaba",
    "aliyun": "alibaba",
}
_AZURE_TIER = re.compile(r"^(?:standard|basic)[_ ]")
_AZURE_GAPS = re.compile(r"[\s_]+")
_AZURE_SIZE = re.compile(r"([a-z]+)\d+(?:-\d+)?([a-z]*)(.*)")


def provider_key(provider: str) -> str:
    """Return the slug under which the set files a provider."""
    return _PROVIDERS.get(provider, provider)


@lru_cache(maxsize=16_384)
def machine_key(provider: str, name: str) -> str:
    """Return the look-up form of a machine type.

    Azure: lower case without ``Standard_`` or ``Basic_``, blanks and underscores, so that ``Standard_D4s_v5``,
    ``D4s v5`` and ``Standard_D4s v5`` are one; hyphens (constrained cores) stay. Others: lower case.
    """
    lowered = name.strip().lower()
    if provider != "azure":
        return lowered
    return _AZURE_GAPS.sub("", _AZURE_TIER.sub("", lowered))


def family_key(provider: str, name: str) -> str:
    """Return the look-up form of a family; an Azure quota name (``standardDSv5Family``) is read too."""
    lowered = machine_key(provider, name)
    if provider == "azure" and lowered.endswith("family"):
        lowered = lowered.removesuffix("family").removeprefix("standard")
    return lowered


def family_of(provider: str, instance_type: str) -> str | None:
    """Return the family in a machine's name: AWS ``m5``, GCP ``n2``, Azure ``dsv5``; None where none can be read."""
    key = machine_key(provider, instance_type)
    if provider == "aws" and "." in key:
        return key.partition(".")[0]
    if provider == "gcp" and "-" in key:
        return key.partition("-")[0]
    match = _AZURE_SIZE.fullmatch(key) if provider == "azure" else None
    return None if match is None else match[1] + match[2] + match[3]


def fold(text: str) -> str:
    """Return lower case with single blanks."""
    return " ".join(text.lower().split())
