/*---
name = "activities"
title = "Own activities (other clouds, on-premise; docs/activities.md)"
engines = ["duckdb"]
money = "billed_cost"
tag_columns = ["tags"]

[detect]
all = ["provider", "charge_period_start", "consumed_quantity", "consumed_unit", "billed_cost"]
none = ["ProviderName", "ChargeCategory", "line_item_line_item_type", "UnitOfMeasure", "rate_id", "total_kgco2e"]

[identity]
provider = "provider"
account = "billing_account_id"
period = "billing_period_start"
currency = "CASE WHEN length(trim(billing_currency)) <= 5 THEN upper(trim(billing_currency)) END"
money = "billed_cost"

[required]
provider = "text"
charge_period_start = "time"
# the month of the invoice where it is given, else the month of the use
billing_period_start = { kind = "time", from = ["billing_period_start", "charge_period_start"] }
billing_account_id = "text"
consumed_quantity = "quantity"
consumed_unit = "text"
billed_cost = "money"
billing_currency = "text"

[optional]
effective_cost = "money"
sub_account_id = "text"
sub_account_name = "text"
service_category = "text"
service_name = "text"
service_code = "text"
sku_id = "text"
sku_meter = "text"
operation = "text"
region_id = "text"
description = "text"
resource_id = "text"
charge_class = "text"
instance_type = "text"
vcpu = "text"
memory_gib = "text"
gpu = "text"
storage_class = "text"
redundancy = "text"
deployment = "text"
transfer_kind = "text"
to_region = "text"
pricing_model = "text"
---*/

-- lines: as they are
SELECT
  billing_period_start,
  provider,
  charge_period_start,
  billing_account_id,
  consumed_quantity,
  consumed_unit,
  billed_cost,
  coalesce(effective_cost, billed_cost) AS effective_cost,
  billing_currency,
  sub_account_id,
  sub_account_name,
  service_category,
  service_name,
  service_code,
  sku_id,
  sku_meter,
  operation,
  region_id,
  description,
  resource_id,
  charge_class,
  instance_type,
  vcpu,
  memory_gib,
  gpu,
  storage_class,
  redundancy,
  deployment,
  transfer_kind,
  to_region,
  pricing_model
FROM raw;

-- groups: the provider's slug, and a class of the vocabulary
SELECT
  strftime(billing_period_start, '%Y-%m') AS billing_period,
  CASE
    WHEN contains(lower(provider), 'aws') OR contains(lower(provider), 'amazon') THEN 'aws'
    WHEN contains(lower(provider), 'azure') OR contains(lower(provider), 'microsoft') THEN 'azure'
    WHEN contains(lower(provider), 'gcp') OR contains(lower(provider), 'google') THEN 'gcp'
    ELSE coalesce(nullif(trim(regexp_replace(lower(provider), '[^a-z0-9]+', '-', 'g'), '-'), ''), 'unknown')
  END AS provider,
  billing_account_id,
  sub_account_id,
  sub_account_name,
  service_category,
  service_name,
  service_code,
  sku_id,
  sku_meter,
  operation,
  consumed_unit,
  region_id,
  description,
  CASE WHEN length(billing_currency) <= 5 THEN upper(billing_currency) END AS billing_currency,
  CASE
    WHEN charge_class IS NULL THEN 'usage'
    WHEN lower(charge_class) IN ('usage', 'tax', 'fee', 'credit', 'refund', 'discount', 'purchase', 'commitment_fee', 'adjustment', 'rounding')
    THEN lower(charge_class)
    ELSE 'unknown_charge'
  END AS charge_class,
  instance_type,
  TRY_CAST(vcpu AS DOUBLE) AS vcpu,
  TRY_CAST(memory_gib AS DOUBLE) AS memory_gib,
  TRY_CAST(gpu AS DOUBLE) AS gpu,
  storage_class,
  redundancy,
  deployment,
  transfer_kind,
  to_region,
  pricing_model
FROM grouped;
