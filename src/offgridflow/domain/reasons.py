"""The closed vocabularies: status, reason, method, assumption, coverage bucket, quarantine reason.

Each member is a stable string that is stored in the ledger and has an anchor of the same name in ``docs/reasons.md``
(a test compares the two). Add a member together with its docs entry; never rename or reuse one.
"""

from enum import StrEnum


class Status(StrEnum):
    """What became of a ledger row (design.md section 3)."""

    ESTIMATED = "estimated"
    FALLBACK = "fallback"
    NOT_ESTIMATED = "not_estimated"
    EXCLUDED = "excluded"


class CoverageBucket(StrEnum):
    """Coverage buckets of usage cost that add up to 100 % (methodology.md section 4)."""

    SKU = "A"
    FAMILY_OR_VCPU = "B"
    SERVICE_MEDIAN = "C"
    SPEND = "D"
    PHYSICAL_NOT_ESTIMATED = "E"
    NOT_PHYSICAL = "F"


class ExcludedReason(StrEnum):
    """Why a line is not usage. Such a line is a ledger row with null impacts that still counts in money and lines."""

    TAX = "tax"
    FEE = "fee"
    CREDIT = "credit"
    REFUND = "refund"
    DISCOUNT = "discount"
    PURCHASE = "purchase"
    COMMITMENT_FEE = "commitment_fee"
    COMMITMENT_NEGATION = "commitment_negation"
    UNUSED_COMMITMENT = "unused_commitment"
    ADJUSTMENT = "adjustment"
    ROUNDING = "rounding"
    UNKNOWN_CHARGE = "unknown_charge"


class NotEstimatedReason(StrEnum):
    """Why a usage row has no impact. The comment says which coverage bucket it falls in."""

    # E: physical, but nothing we may or can rate it with
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_METER = "unknown_meter"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_REGION = "unknown_region"
    UNKNOWN_INSTANCE_TYPE = "unknown_instance_type"
    UNKNOWN_ACCELERATOR = "unknown_accelerator"
    UNKNOWN_AI_MODEL = "unknown_ai_model"
    NO_FACTOR = "no_factor"
    REQUEST_PRICED = "request_priced"
    CAPACITY_NOT_METERED = "capacity_not_metered"
    CUSTOMER_PREMISES = "customer_premises"
    QUANTITY_MISSING = "quantity_missing"
    NEGATIVE_NET_QUANTITY = "negative_net_quantity"
    OUT_OF_BOUNDS = "out_of_bounds"
    # F: not physical, or physical and already counted by another row
    LICENCE = "licence"
    SUPPORT = "support"
    SURCHARGE = "surcharge"
    NOT_PHYSICAL = "not_physical"
    COUNTED_ELSEWHERE = "counted_elsewhere"


class QuarantineReason(StrEnum):
    """Why a raw line could not be read."""

    MALFORMED_LINE = "malformed_line"
    UNREADABLE_COST = "unreadable_cost"
    UNREADABLE_QUANTITY = "unreadable_quantity"
    UNREADABLE_TIME = "unreadable_time"
    MISSING_CURRENCY = "missing_currency"
    MISSING_ACCOUNT = "missing_account"
    OVERFLOW = "overflow"


class Method(StrEnum):
    """How a rate was made. One docs page section each."""

    INSTANCE = "instance"
    INSTANCE_FAMILY = "instance_family"
    VCPU = "vcpu"
    SERVICE_MEDIAN = "service_median"
    VCPU_AND_MEMORY = "vcpu_and_memory"
    MEMORY = "memory"
    SERVERLESS = "serverless"
    ACCELERATOR = "accelerator"
    STORAGE = "storage"
    NETWORK = "network"
    DATABASE = "database"
    AI_TOKENS = "ai_tokens"
    RESERVED_CAPACITY = "reserved_capacity"
    SPEND = "spend"
    USER_RATE = "user_rate"


class Assumption(StrEnum):
    """Every default or proxy that entered a rate; all are visible in the ledger row."""

    UTILISATION_DEFAULT = "utilisation_default"
    UTILISATION_USER = "utilisation_user"
    PROVIDER_OVERHEAD = "provider_overhead"
    POWER_SPEC_AND_TEADS = "power_spec_and_teads"
    POWER_SPEC_SCALED = "power_spec_scaled"
    POWER_PROXY_PROCESSOR = "power_proxy_processor"
    PROCESSOR_UNKNOWN = "processor_unknown"
    ARM_PROXY = "arm_proxy"
    BURSTABLE_BASELINE = "burstable_baseline"
    FAMILY_PER_VCPU = "family_per_vcpu"
    VCPU_FROM_BILL = "vcpu_from_bill"
    SERVICE_MEDIAN_SIZE = "service_median_size"
    MEMORY_WITHIN_PROCESSOR_ALLOWANCE = "memory_within_processor_allowance"
    REPLICATION_DEFAULT = "replication_default"
    STORAGE_MEDIUM_DEFAULT = "storage_medium_default"
    ARCHIVE_AS_HDD = "archive_as_hdd"
    TRANSFER_KIND_FROM_DESCRIPTION = "transfer_kind_from_description"
    INSTANCE_TYPE_FROM_DESCRIPTION = "instance_type_from_description"
    UNIT_FROM_PRICING = "unit_from_pricing"
    GRID_COUNTRY = "grid_country"
    GRID_NEWEST_YEAR = "grid_newest_year"
    GRID_DIRECT_SCALED = "grid_direct_scaled"
    GRID_UPSTREAM_INTERIM = "grid_upstream_interim"
    GRID_LOSS_DEFAULT = "grid_loss_default"
    GRID_USER = "grid_user"
    GRID_HOUR_MISSING = "grid_hour_missing"
    REGION_FROM_ALIAS = "region_from_alias"
    REGION_FROM_ZONE = "region_from_zone"
    MULTI_REGION_MEAN = "multi_region_mean"
    GLOBAL_SERVICE_MEAN = "global_service_mean"
    LOCAL_ZONE_METRO_GRID = "local_zone_metro_grid"
    PUE_GEOGRAPHY = "pue_geography"
    PUE_NEWEST_YEAR = "pue_newest_year"
    PUE_USER = "pue_user"
    WUE_GEOGRAPHY = "wue_geography"
    EMBODIED_ADDITIVE = "embodied_additive"
    EMBODIED_PLATFORM_UNKNOWN = "embodied_platform_unknown"
    ACCELERATOR_PROXY = "accelerator_proxy"
    ACU_SIZE = "acu_size"
    NODE_COUNT_DEFAULT = "node_count_default"
    TOKENS_PER_CHARACTER = "tokens_per_character"
    AI_ARCHITECTURE_GUESSED = "ai_architecture_guessed"
    MARKET_CONTRACT = "market_contract"
    USER_RATE = "user_rate"
    SPEND_MEAN = "spend_mean"
    VCPU_FROM_NAME = "vcpu_from_name"
    PAIRED_REGION_AS_PRIMARY = "paired_region_as_primary"
    MACHINE_PROXY = "machine_proxy"


class Group(StrEnum):
    """The groups of uncertainty that are varied one at a time (methodology.md section 2)."""

    POWER = "power"
    UTILISATION = "utilisation"
    MEMORY = "memory"
    STORAGE = "storage"
    NETWORK = "network"
    PUE = "pue"
    GRID = "grid"
    EMBODIED = "embodied"
    OVERHEAD = "overhead"
    AI = "ai"


NOT_PHYSICAL_REASONS: frozenset[NotEstimatedReason] = frozenset(
    {
        NotEstimatedReason.LICENCE,
        NotEstimatedReason.SUPPORT,
        NotEstimatedReason.SURCHARGE,
        NotEstimatedReason.NOT_PHYSICAL,
        NotEstimatedReason.COUNTED_ELSEWHERE,
    },
)
"""Version 1 of the list behind bucket F. Growing it needs a decision record (methodology.md section 4)."""


def bucket_of_reason(reason: NotEstimatedReason) -> CoverageBucket:
    """Return the coverage bucket (E or F) of a usage row that was not estimated."""
    if reason in NOT_PHYSICAL_REASONS:
        return CoverageBucket.NOT_PHYSICAL
    return CoverageBucket.PHYSICAL_NOT_ESTIMATED
