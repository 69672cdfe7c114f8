/*---
name = "focus"
title = "FOCUS 1.0, 1.1, 1.2 or 1.3 cost and usage (any provider)"
engines = ["duckdb"]
money = "billed_cost"
null_words = ["null"]
tag_columns = ["Tags", "x_Labels", "x_Tags"]
tag_prefixes = ["", "user:", "user_"]
once_by = ["sku_id", "sku_price_id", "resource_id"]

[detect]
all = ["BilledCost", "BillingCurrency", "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart"]

[identity]
provider = "provider_name"
account = "billing_account_id"
period = "billing_period_start"
currency = "CASE WHEN length(trim(billing_currency)) <= 5 THEN upper(trim(billing_currency)) END"
money = "billed_cost"

[required]
billed_cost = { kind = "money", from = ["BilledCost"] }
billing_account_id = { from = ["BillingAccountId"] }
billing_currency = { from = ["BillingCurrency"] }
billing_period_start = { kind = "time", from = ["BillingPeriodStart"] }
charge_category = { from = ["ChargeCategory"] }
charge_period_start = { kind = "time", from = ["ChargePeriodStart"] }
# 1.3 renames ProviderName to ServiceProviderName; a draft after it has neither
provider_name = { from = ["ServiceProviderName", "ProviderName", "HostProviderName", "InvoiceIssuerName", "PublisherName"] }

[optional]
charge_description = { from = ["ChargeDescription"] }
commitment_discount_status = { from = ["CommitmentDiscountStatus"] }
commitment_discount_category = { from = ["CommitmentDiscountCategory"] }
consumed_quantity = { kind = "quantity", from = ["ConsumedQuantity"] }
consumed_unit = { from = ["ConsumedUnit"] }
effective_cost = { kind = "money", from = ["EffectiveCost"] }
pricing_category = { from = ["PricingCategory"] }
pricing_quantity = { kind = "quantity", from = ["PricingQuantity"] }
pricing_unit = { from = ["PricingUnit"] }
# Oracle leaves RegionId empty and writes the region as its name
region_id = { from = ["RegionId", "RegionName", "AvailabilityZone"] }
resource_id = { from = ["ResourceId"] }
service_category = { from = ["ServiceCategory"] }
service_name = { from = ["ServiceName"] }
sku_id = { from = ["SkuId"] }
sku_meter = { from = ["SkuMeter"] }
sku_price_id = { from = ["SkuPriceId"] }
sub_account_id = { from = ["SubAccountId"] }
sub_account_name = { from = ["SubAccountName"] }
# what providers add; kept where it helps rating
x_usage_type = { from = ["x_UsageType"] }
x_operation = { from = ["x_Operation", "x_SkuOperation"] }
x_service_code = { from = ["x_ServiceCode", "x_SkuMeterCategory", "x_ServiceId"] }
x_meter_subcategory = { from = ["x_SkuMeterSubcategory"] }
x_meter_name = { from = ["x_SkuMeterName"] }
x_sku_description = { from = ["x_SkuDescription"] }
x_sku_region = { from = ["x_SkuRegion"] }
instance_type = { once = true, from = ["SkuPriceDetails[InstanceType]", "SkuPriceDetails[x_InstanceType]", "x_SkuDetails[InstanceType]", "x_SkuDetails[ServiceType]", "x_InstanceType", "x_SkuInstanceType"] }
core_count = { once = true, from = ["SkuPriceDetails[CoreCount]", "x_SkuDetails[CoreCount]", "x_SkuDetails[VCPUs]"] }
memory_size = { once = true, from = ["SkuPriceDetails[MemorySize]", "x_SkuDetails[MemorySize]"] }
gpu_count = { once = true, from = ["SkuPriceDetails[GpuCount]", "x_SkuDetails[GpuCount]"] }
storage_class = { once = true, from = ["SkuPriceDetails[StorageClass]"] }
redundancy = { once = true, from = ["SkuPriceDetails[Redundancy]"] }
---*/

-- lines: what is needed of every line; usage without consumed quantity or unit falls back to the pricing pair, never
-- to a quantity of one pair in the unit of the other
SELECT
  billing_period_start,
  charge_period_start,
  provider_name,
  billing_account_id,
  sub_account_id,
  sub_account_name,
  service_category,
  service_name,
  x_service_code,
  sku_id,
  sku_price_id,
  sku_meter,
  x_usage_type,
  x_meter_subcategory,
  x_meter_name,
  x_sku_description,
  charge_description,
  x_operation,
  consumed_unit,
  pricing_unit,
  (consumed_quantity IS NULL OR coalesce(lower(trim(consumed_unit)), '') IN ('', 'null'))
  AND pricing_quantity IS NOT NULL AS by_pricing_unit,
  region_id,
  resource_id,
  -- Azure bills capacity that is held and not used on the reservation itself, used capacity on the machine
  contains(lower(resource_id), '/capacityreservations/') AS is_reserved_capacity,
  billing_currency,
  charge_category,
  commitment_discount_status,
  pricing_category,
  CASE
    WHEN consumed_quantity IS NOT NULL
    AND (coalesce(lower(trim(consumed_unit)), '') NOT IN ('', 'null') OR pricing_quantity IS NULL) THEN consumed_quantity
    WHEN lower(charge_category) = 'usage' AND lower(commitment_discount_status) IS DISTINCT FROM 'unused' THEN pricing_quantity
  END AS consumed_quantity,
  billed_cost,
  effective_cost
FROM raw;

-- groups: what can be derived once per group of lines
SELECT
  strftime(billing_period_start, '%Y-%m') AS billing_period,
  CASE
    WHEN contains(lower(provider_name), 'aws') OR contains(lower(provider_name), 'amazon') THEN 'aws'
    WHEN contains(lower(provider_name), 'azure') OR contains(lower(provider_name), 'microsoft') THEN 'azure'
    WHEN contains(lower(provider_name), 'gcp') OR contains(lower(provider_name), 'google') THEN 'gcp'
    ELSE coalesce(nullif(trim(regexp_replace(lower(provider_name), '[^a-z0-9]+', '-', 'g'), '-'), ''), 'unknown')
  END AS provider,
  billing_account_id,
  sub_account_id,
  sub_account_name,
  service_category,
  service_name,
  x_service_code AS service_code,
  sku_id,
  coalesce(
    x_usage_type,
    CASE WHEN x_meter_name IS NOT NULL THEN concat_ws(' - ', x_meter_subcategory, x_meter_name) END,
    sku_meter, x_sku_description, charge_description
  ) AS sku_meter,
  x_operation AS operation,
  CASE WHEN by_pricing_unit THEN pricing_unit ELSE consumed_unit END AS consumed_unit,
  region_id,
  CASE
    WHEN x_usage_type IS NULL AND x_meter_name IS NULL AND sku_meter IS NOT NULL AND instance_type IS NULL
    THEN charge_description
  END AS description,
  CASE WHEN length(billing_currency) <= 5 THEN upper(billing_currency) END AS billing_currency,
  CASE lower(charge_category)
    WHEN 'usage' THEN CASE WHEN lower(commitment_discount_status) = 'unused' THEN 'unused_commitment' ELSE 'usage' END
    WHEN 'tax' THEN 'tax'
    WHEN 'credit' THEN 'credit'
    WHEN 'purchase' THEN 'purchase'
    WHEN 'adjustment' THEN 'adjustment'
    ELSE 'unknown_charge'
  END AS charge_class,
  instance_type,
  TRY_CAST(core_count AS DOUBLE) AS vcpu,
  TRY_CAST(regexp_extract(memory_size, '^[0-9.]+') AS DOUBLE) AS memory_gib,
  TRY_CAST(gpu_count AS DOUBLE) AS gpu,
  CASE WHEN is_reserved_capacity THEN 'capacity_reservation' END AS deployment,
  storage_class,
  redundancy,
  nullif(
    concat_ws(
      ' ',
      CASE WHEN commitment_discount_status IS NOT NULL THEN 'committed' ELSE lower(pricing_category) END,
      CASE WHEN by_pricing_unit AND lower(charge_category) = 'usage' THEN 'priced_quantity' END
    ),
    ''
  ) AS pricing_model
FROM grouped;
