/*---
name = "aws_cur_legacy"
title = "AWS Cost and Usage Report, legacy (CSV or Athena Parquet)"
engines = ["duckdb"]
money = "billed_cost"
tag_columns = ["resource_tags", "tags"]
tag_prefixes = ["", "user:", "user_"]
once_by = ["line_item_product_code", "product_instance_type"]

[detect]
all = ["line_item_line_item_type", "line_item_unblended_cost", "line_item_usage_start_date", "bill_billing_period_start_date"]
none = ["product", "resource_tags", "cost_category", "discount", "bill_payer_account_name", "line_item_usage_account_name"]

[identity]
provider = "'aws'"
account = "bill_payer_account_id"
period = "bill_billing_period_start_date"
currency = "CASE WHEN length(trim(line_item_currency_code)) <= 5 THEN upper(trim(line_item_currency_code)) END"
money = "line_item_unblended_cost"

[required]
line_item_unblended_cost = "money"
line_item_usage_start_date = "time"
bill_billing_period_start_date = "time"
bill_payer_account_id = "text"
line_item_line_item_type = "text"
line_item_currency_code = "text"

[optional]
line_item_usage_amount = "quantity"
line_item_usage_account_id = "text"
line_item_product_code = "text"
line_item_usage_type = "text"
line_item_operation = "text"
line_item_resource_id = "text"
line_item_line_item_description = "text"
pricing_unit = "text"
product_sku = "text"
product_to_region_code = { from = ["product_to_region_code", "product[to_region_code]"] }
product_instance_type = { from = ["product_instance_type", "product[instance_type]"] }
reservation_effective_cost = "money"
reservation_reservation_arn = { from = ["reservation_reservation_a_r_n", "reservation_reservation_arn"] }
reservation_unused_amortized_upfront_fee_for_billing_period = "money"
reservation_unused_recurring_fee = "money"
savings_plan_savings_plan_effective_cost = "money"
savings_plan_total_commitment_to_date = "money"
savings_plan_used_commitment = "money"
# where a line has no region, its zone or place name still says where it ran
region = { from = ["product_region_code", "product_region", "line_item_availability_zone", "product_location"] }
product_name = { once = true, from = ["product/ProductName"] }
product_vcpu = { once = true, from = ["product/vcpu"] }
product_memory = { once = true, from = ["product/memory"] }
product_gpu = { once = true, from = ["product/gpu"] }
---*/

-- lines: what is needed of every line; the effective cost spreads commitments over what they cover
SELECT
  bill_billing_period_start_date,
  line_item_usage_start_date AS charge_period_start,
  bill_payer_account_id,
  line_item_usage_account_id,
  line_item_line_item_type,
  line_item_currency_code,
  line_item_product_code,
  line_item_usage_type,
  line_item_operation,
  line_item_resource_id AS resource_id,
  CASE
    WHEN line_item_usage_type IS NULL OR line_item_usage_type = '' OR line_item_product_code = 'AmazonBedrock'
    THEN line_item_line_item_description
  END AS line_item_line_item_description,
  pricing_unit,
  product_sku,
  region,
  product_to_region_code,
  product_instance_type,
  line_item_usage_amount AS consumed_quantity,
  line_item_unblended_cost AS billed_cost,
  CASE line_item_line_item_type
    WHEN 'Usage' THEN line_item_unblended_cost
    WHEN 'DiscountedUsage' THEN coalesce(reservation_effective_cost, line_item_unblended_cost)
    WHEN 'SavingsPlanCoveredUsage' THEN coalesce(savings_plan_savings_plan_effective_cost, line_item_unblended_cost)
    WHEN 'SavingsPlanNegation' THEN 0
    WHEN 'SavingsPlanUpfrontFee' THEN 0
    WHEN 'SavingsPlanRecurringFee' THEN coalesce(
      savings_plan_total_commitment_to_date - savings_plan_used_commitment, line_item_unblended_cost)
    WHEN 'RIFee' THEN coalesce(
      reservation_unused_amortized_upfront_fee_for_billing_period + reservation_unused_recurring_fee, line_item_unblended_cost)
    WHEN 'Fee' THEN CASE WHEN coalesce(reservation_reservation_arn, '') <> '' THEN 0 ELSE line_item_unblended_cost END
    ELSE line_item_unblended_cost
  END AS effective_cost
FROM raw;

-- groups: what can be derived once per group of lines
SELECT
  strftime(bill_billing_period_start_date, '%Y-%m') AS billing_period,
  'aws' AS provider,
  bill_payer_account_id AS billing_account_id,
  coalesce(line_item_usage_account_id, bill_payer_account_id) AS sub_account_id,
  coalesce(product_name, line_item_product_code) AS service_name,
  line_item_product_code AS service_code,
  product_sku AS sku_id,
  coalesce(line_item_usage_type, line_item_line_item_description) AS sku_meter,
  line_item_operation AS operation,
  pricing_unit AS consumed_unit,
  region AS region_id,
  CASE WHEN line_item_usage_type IS NOT NULL THEN line_item_line_item_description END AS description,
  CASE WHEN length(line_item_currency_code) <= 5 THEN upper(line_item_currency_code) END AS billing_currency,
  CASE line_item_line_item_type
    WHEN 'Usage' THEN 'usage'
    WHEN 'DiscountedUsage' THEN 'usage'
    WHEN 'SavingsPlanCoveredUsage' THEN 'usage'
    WHEN 'RIFee' THEN 'commitment_fee'
    WHEN 'SavingsPlanRecurringFee' THEN 'commitment_fee'
    WHEN 'SavingsPlanUpfrontFee' THEN 'commitment_fee'
    WHEN 'SavingsPlanNegation' THEN 'commitment_negation'
    WHEN 'Tax' THEN 'tax'
    WHEN 'Credit' THEN 'credit'
    WHEN 'Refund' THEN 'refund'
    WHEN 'Fee' THEN 'fee'
    WHEN 'BundledDiscount' THEN 'discount'
    WHEN 'Discount' THEN 'discount'
    WHEN 'EdpDiscount' THEN 'discount'
    WHEN 'PrivateRateDiscount' THEN 'discount'
    WHEN 'DistributorDiscount' THEN 'discount'
    WHEN 'RiVolumeDiscount' THEN 'discount'
    WHEN 'SppDiscount' THEN 'discount'
    ELSE 'unknown_charge'
  END AS charge_class,
  product_instance_type AS instance_type,
  TRY_CAST(product_vcpu AS DOUBLE) AS vcpu,
  TRY_CAST(replace(regexp_extract(product_memory, '^([0-9][0-9.,]*) GiB$', 1), ',', '') AS DOUBLE) AS memory_gib,
  TRY_CAST(product_gpu AS DOUBLE) AS gpu,
  product_to_region_code AS to_region,
  CASE line_item_line_item_type
    WHEN 'DiscountedUsage' THEN 'reserved'
    WHEN 'SavingsPlanCoveredUsage' THEN 'savings_plan'
  END AS pricing_model
FROM grouped;
