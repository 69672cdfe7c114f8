-- One billing period of a Google Cloud billing export (standard or detailed), grouped to the grain where it lies.
-- Amounts are FLOAT64 in the export: their shortest spelling becomes an exact decimal before any sum.
WITH lines AS (
  SELECT
    TIMESTAMP_TRUNC(usage_start_time, $grain) AS charge_period_start,
    billing_account_id,
    COALESCE(NULLIF(project.id, ''), billing_account_id) AS project_id,
    project.name AS project_name,
    COALESCE(NULLIF(location.region, ''), NULLIF(location.location, ''), NULLIF(location.country, '')) AS region,
    CAST(NULL AS STRING) AS service_category,
    service.id AS service_id,
    service.description AS service_name,
    sku.id AS sku_id,
    sku.description AS sku_meter,
    $resource_id AS resource_id,
    usage.unit AS consumed_unit,
    currency,
    CASE LOWER(COALESCE(cost_type, 'regular'))
      WHEN 'regular' THEN 'usage'
      WHEN 'tax' THEN 'tax'
      WHEN 'adjustment' THEN 'adjustment'
      WHEN 'rounding_error' THEN 'rounding'
      ELSE 'unknown_charge'
    END AS charge_class,
    $machine_spec AS machine_spec,
    $cores AS cores,
    $memory AS memory_mib,
    $pricing_model AS pricing_model,
    $labels AS labels,
    SAFE_CAST(CAST(usage.amount AS STRING) AS BIGNUMERIC) AS quantity,
    ROUND(SAFE_CAST(CAST(cost AS STRING) AS BIGNUMERIC), 15) AS cost,
    $credits AS credits
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
  SUM(credits) AS credits,
  SUM(cost + credits) AS effective_cost,
  COUNT(*) AS line_items
FROM lines
GROUP BY
  charge_period_start, billing_account_id, project_id, region, service_category, service_id, service_name, sku_id,
  sku_meter, resource_id, consumed_unit, currency, charge_class, machine_spec, cores, memory_mib, pricing_model,
  labels, quantity IS NULL
