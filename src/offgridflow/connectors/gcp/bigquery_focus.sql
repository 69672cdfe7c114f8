-- One billing period of a FOCUS export or view of Google Cloud, grouped to the grain where it lies.
-- Which optional columns there are differs between Google's view (2024) and its native export (2026).
WITH lines AS (
  SELECT
    TIMESTAMP_TRUNC($charge_start, $grain) AS charge_period_start,
    BillingAccountId AS billing_account_id,
    $sub_account_id AS project_id,
    $sub_account_name AS project_name,
    $region AS region,
    $service_category AS service_category,
    $service_id AS service_id,
    $service_name AS service_name,
    $sku_id AS sku_id,
    $sku_meter AS sku_meter,
    $resource_id AS resource_id,
    CASE
      WHEN ($consumed_quantity IS NULL OR $consumed_unit IS NULL) AND $pricing_quantity IS NOT NULL THEN $pricing_unit
      ELSE $consumed_unit
    END AS consumed_unit,
    BillingCurrency AS currency,
    CASE LOWER(ChargeCategory)
      WHEN 'usage' THEN CASE WHEN LOWER($commitment_status) = 'unused' THEN 'unused_commitment' ELSE 'usage' END
      WHEN 'tax' THEN 'tax'
      WHEN 'credit' THEN 'credit'
      WHEN 'purchase' THEN 'purchase'
      WHEN 'adjustment' THEN 'adjustment'
      ELSE 'unknown_charge'
    END AS charge_class,
    $machine_spec AS machine_spec,
    $cores AS cores,
    $memory AS memory_mib,
    NULLIF(TRIM(CONCAT(
      COALESCE($pricing_model, ''),
      CASE
        WHEN ($consumed_quantity IS NULL OR $consumed_unit IS NULL) AND $pricing_quantity IS NOT NULL
          AND LOWER(ChargeCategory) = 'usage' THEN ' priced_quantity'
        ELSE ''
      END
    )), '') AS pricing_model,
    $labels AS labels,
    CASE
      WHEN $consumed_quantity IS NOT NULL AND ($consumed_unit IS NOT NULL OR $pricing_quantity IS NULL)
      THEN SAFE_CAST(CAST($consumed_quantity AS STRING) AS BIGNUMERIC)
      WHEN LOWER(ChargeCategory) = 'usage' AND COALESCE(LOWER($commitment_status), '') <> 'unused'
      THEN SAFE_CAST(CAST($pricing_quantity AS STRING) AS BIGNUMERIC)
    END AS quantity,
    ROUND(SAFE_CAST(CAST(BilledCost AS STRING) AS BIGNUMERIC), 15) AS cost,
    ROUND(SAFE_CAST(CAST($effective_cost AS STRING) AS BIGNUMERIC), 15) AS effective_cost
  FROM `$table` $then
  WHERE $period = @invoice_month $pruned
)
SELECT
  charge_period_start,
  billing_account_id,
  project_id,
  MAX(project_name) AS project_name,
  region,
  service_category,
  service_id,
  service_name,
  sku_id,
  sku_meter,
  resource_id,
  consumed_unit,
  currency,
  charge_class,
  machine_spec,
  cores,
  memory_mib,
  pricing_model,
  labels,
  SUM(ROUND(quantity, 15)) AS consumed_quantity,
  SUM(cost) AS cost,
  CAST(0 AS BIGNUMERIC) AS credits,
  SUM(effective_cost) AS effective_cost,
  COUNT(*) AS line_items
FROM lines
GROUP BY
  charge_period_start, billing_account_id, project_id, region, service_category, service_id, service_name, sku_id,
  sku_meter, resource_id, consumed_unit, currency, charge_class, machine_spec, cores, memory_mib, pricing_model,
  labels, quantity IS NULL
