-- name: aws_cur_legacy
-- title: AWS Cost and Usage Report (legacy CSV and Athena Parquet)
-- version: 1
-- money: billed_cost
-- regroup: no
-- detect: none(product, product_region_code_only, line_item_usage_account_name, bill_payer_account_name, cost_category, resource_tags, BilledCost) any(product_product_name, product_region, product_usagetype, product_servicecode, product_sku)
-- tags: columns resourceTags/user:
-- column: bill_payer_account_id text required
-- column: bill_billing_period_start_date time required
-- column: line_item_usage_account_id text
-- column: line_item_line_item_type text required
-- column: line_item_currency_code text required
-- column: line_item_usage_start_date time required
-- column: line_item_usage_amount number required
-- column: line_item_unblended_cost number required
-- column: reservation_effective_cost number
-- column: savings_plan_savings_plan_effective_cost number
-- column: line_item_product_code text required
-- column: line_item_usage_type text required
-- column: line_item_operation text
-- column: line_item_resource_id text
-- column: line_item_availability_zone text
-- column: pricing_unit text
-- column: product_sku text
-- column: region_code alias product_region_code, product_region text
-- column: product_to_region_code text
-- column: product_instance_type text
-- column: product_product_family text
-- column: product_product_name text
-- column: product_vcpu text
-- column: product_memory text
-- column: product_deployment_option text
-- column: product_storage_class text

-- lines:
SELECT
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
    WHEN 'EdpDiscount' THEN 'discount'
    WHEN 'PrivateRateDiscount' THEN 'discount'
    WHEN 'Discount' THEN 'discount'
    ELSE 'unknown_charge'
  END AS charge_class,
  bill_billing_period_start_date AS billing_period,
  bill_payer_account_id AS billing_account_id,
  'aws' AS provider,
  line_item_currency_code AS billing_currency,
  line_item_usage_start_date AS charge_time,
  line_item_usage_amount AS consumed_quantity,
  line_item_unblended_cost AS billed_cost,
  CASE line_item_line_item_type
    WHEN 'DiscountedUsage' THEN coalesce(reservation_effective_cost, line_item_unblended_cost)
    WHEN 'SavingsPlanCoveredUsage' THEN coalesce(savings_plan_savings_plan_effective_cost, line_item_unblended_cost)
    ELSE line_item_unblended_cost
  END AS effective_cost,
  coalesce(line_item_usage_account_id, bill_payer_account_id) AS sub_account_id,
  NULL AS sub_account_name,
  line_item_product_code AS service_code,
  product_sku AS sku_id,
  line_item_usage_type AS sku_meter,
  line_item_operation AS operation,
  pricing_unit AS consumed_unit,
  -- older reports leave the region out: the zone names it
  coalesce(region_code, regexp_extract(line_item_availability_zone, '^[a-z]{2}(-[a-z]+)+-[0-9]')) AS region_id,
  line_item_resource_id AS resource_id,
  CASE line_item_line_item_type WHEN 'DiscountedUsage' THEN 'reserved' WHEN 'SavingsPlanCoveredUsage' THEN 'savings_plan' END AS pricing_model,
  product_to_region_code AS to_region,
  product_instance_type AS instance_type,
  product_product_family,
  product_product_name, product_vcpu, product_memory, product_deployment_option, product_storage_class
FROM raw

-- groups:
SELECT
  coalesce(product_product_name, service_code) AS service_name,
  service_code,
  sku_id,
  sku_meter,
  operation,
  consumed_unit,
  nullif(region_id, '') AS region_id,
  NULL AS description,
  instance_type,
  TRY_CAST(product_vcpu AS DOUBLE) AS vcpu,
  TRY_CAST(replace(regexp_extract(product_memory, '^[0-9.,]+'), ',', '') AS DOUBLE) AS memory_gib,
  NULL AS gpu,
  product_storage_class AS storage_class,
  NULL AS redundancy,
  product_deployment_option AS deployment,
  NULL AS transfer_kind,
  to_region,
  pricing_model,
  product_product_family AS service_category
FROM grouped
