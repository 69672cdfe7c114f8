/*---
name = "azure_cost"
title = "Azure Cost Management export, actual or amortised cost (EA, MCA, pay-as-you-go; CSV or Parquet)"
engines = ["duckdb"]
money = "billed_cost"
date_styles = ["%m/%d/%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"]
tag_columns = ["Tags"]

[detect]
all = ["MeterId", "MeterCategory", "MeterName", "ResourceLocation"]
any = [["SubscriptionId", "SubscriptionGuid"], ["Cost", "CostInBillingCurrency", "PreTaxCost", "costInPricingCurrency"]]
none = ["BilledCost"]

[identity]
provider = "'azure'"
account = "billing_account_id"
period = "billing_day"
currency = "CASE WHEN length(trim(billing_currency)) <= 5 THEN upper(trim(billing_currency)) END"
money = "cost"

[required]
cost = { kind = "money", from = ["CostInBillingCurrency", "Cost", "PreTaxCost"] }
usage_date = { kind = "time", from = ["Date", "UsageDateTime", "UsageDate"] }
billing_currency = { from = ["BillingCurrency", "BillingCurrencyCode", "Currency"] }
# pay-as-you-go files are per subscription and name no account
billing_account_id = { from = ["BillingAccountId", "SubscriptionId", "SubscriptionGuid"] }

[optional]
# the month as the provider assigns it; files without it are cut at calendar months
billing_day = { kind = "time", from = ["BillingPeriodStartDate", "Date", "UsageDateTime", "UsageDate"] }
subscription_id = { from = ["SubscriptionId", "SubscriptionGuid"] }
subscription_name = { from = ["SubscriptionName"] }
quantity = { kind = "quantity", from = ["Quantity", "UsageQuantity", "ConsumedQuantity"] }
unit_of_measure = { from = ["UnitOfMeasure"] }
charge_type = { from = ["ChargeType"] }
pricing_model = { from = ["PricingModel"] }
reservation_id = { from = ["ReservationId", "benefitId"] }
publisher_type = { from = ["PublisherType"] }
service_family = { from = ["ServiceFamily"] }
meter_id = { from = ["MeterId"] }
meter_category = { from = ["MeterCategory"] }
meter_sub_category = { from = ["MeterSubCategory"] }
meter_name = { from = ["MeterName"] }
consumed_service = { from = ["ConsumedService"] }
# meters are shared by regions: where the resource is decides, not MeterRegion
resource_location = { from = ["ResourceLocation", "Location"] }
resource_id = { from = ["ResourceId", "InstanceId", "InstanceName"] }
product = { from = ["ProductName", "Product"] }
service_type = { once = true, from = ["AdditionalInfo[ServiceType]"] }
vcpus = { once = true, from = ["AdditionalInfo[VCPUs]"] }

[variants.amortized]
# only amortised exports spread a reservation over its usage or name what was not used
when = """
  lower(charge_type) IN ('unusedreservation', 'unusedsavingsplan')
  OR (lower(charge_type) = 'usage' AND lower(pricing_model) IN ('reservation', 'savingsplan') AND cost <> 0)
"""
# and only actual ones bill its purchase
unless = "lower(charge_type) = 'purchase' AND lower(pricing_model) IN ('reservation', 'savingsplan') AND cost <> 0"
money = "effective_cost"
---*/

-- lines: what is needed of every line; actual and amortised cost of one column go to two of ours
SELECT
  billing_day,
  usage_date AS charge_period_start,
  billing_account_id,
  subscription_id,
  subscription_name AS sub_account_name,
  billing_currency,
  charge_type,
  pricing_model,
  publisher_type,
  service_family,
  meter_id,
  meter_category,
  meter_sub_category,
  meter_name,
  consumed_service,
  unit_of_measure,
  resource_location,
  resource_id,
  -- capacity that is held and not used is billed on the reservation itself, used capacity on the machine
  contains(lower(resource_id), '/capacityreservations/') AS is_reserved_capacity,
  product,
  quantity AS consumed_quantity,
  CASE WHEN variant IS NULL THEN cost END AS billed_cost,
  CASE WHEN variant = 'amortized' THEN cost END AS effective_cost
FROM raw;

-- groups: what can be derived once per group of lines
SELECT
  strftime(billing_day, '%Y-%m') AS billing_period,
  'azure' AS provider,
  billing_account_id,
  subscription_id AS sub_account_id,
  sub_account_name,
  service_family AS service_category,
  coalesce(meter_category, consumed_service, product) AS service_name,
  meter_category AS service_code,
  meter_id AS sku_id,
  coalesce(nullif(concat_ws(' - ', meter_sub_category, meter_name), ''), product) AS sku_meter,
  consumed_service AS operation,
  unit_of_measure AS consumed_unit,
  CASE WHEN lower(resource_location) NOT IN ('unassigned', 'unknown') THEN resource_location END AS region_id,
  CASE WHEN service_type IS NULL THEN product END AS description,
  CASE WHEN length(billing_currency) <= 5 THEN upper(billing_currency) END AS billing_currency,
  CASE
    WHEN charge_type IS NULL OR lower(charge_type) = 'usage' THEN 'usage'
    WHEN lower(charge_type) IN ('unusedreservation', 'unusedsavingsplan') THEN 'unused_commitment'
    WHEN lower(charge_type) = 'purchase' AND lower(pricing_model) IN ('reservation', 'savingsplan') THEN 'commitment_fee'
    WHEN lower(charge_type) = 'purchase' THEN 'purchase'
    WHEN lower(charge_type) = 'refund' THEN 'refund'
    WHEN lower(charge_type) = 'tax' THEN 'tax'
    WHEN lower(charge_type) IN ('adjustment', 'roundingadjustment') THEN
      CASE WHEN lower(charge_type) = 'adjustment' THEN 'adjustment' ELSE 'rounding' END
    WHEN lower(charge_type) = 'credit' THEN 'credit'
    ELSE 'unknown_charge'
  END AS charge_class,
  service_type AS instance_type,
  TRY_CAST(nullif(vcpus, '0') AS DOUBLE) AS vcpu,
  CASE WHEN is_reserved_capacity THEN 'capacity_reservation' END AS deployment,
  lower(pricing_model) AS pricing_model
FROM grouped;
