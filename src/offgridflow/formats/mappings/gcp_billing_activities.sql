/*---
name = "gcp_billing_activities"
title = "Google Cloud billing export, grouped in BigQuery by OffGridFlow"
engines = ["duckdb"]
money = "billed_cost"
# a row stands for so many lines of the export
line_items = "line_items"
tag_columns = ["labels"]

[detect]
all = ["billing_period_start", "charge_period_start", "charge_class", "sku_meter", "memory_mib", "labels", "billed_cost", "line_items"]

[identity]
provider = "'gcp'"
account = "billing_account_id"
period = "billing_period_start"
currency = "CASE WHEN length(trim(currency)) <= 5 THEN upper(trim(currency)) END"
money = "billed_cost"

[required]
billing_period_start = "time"
charge_period_start = "time"
billing_account_id = "text"
currency = "text"
charge_class = "text"
billed_cost = "money"
line_items = "quantity"

[optional]
project_id = "text"
project_name = "text"
region = "text"
service_category = "text"
service_id = "text"
service_name = "text"
sku_id = "text"
sku_meter = "text"
resource_id = "text"
consumed_unit = "text"
machine_spec = "text"
cores = "text"
memory_mib = "text"
pricing_model = "text"
consumed_quantity = "quantity"
effective_cost = "money"
---*/

-- lines: what BigQuery grouped, as it is; the engine groups it again where its own grain is coarser
SELECT
  billing_period_start,
  charge_period_start,
  billing_account_id,
  project_id,
  project_name,
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
  consumed_quantity,
  billed_cost,
  effective_cost
FROM raw;

-- groups: names of ours, and the machine's shape from its system labels
SELECT
  strftime(billing_period_start, '%Y-%m') AS billing_period,
  'gcp' AS provider,
  billing_account_id,
  project_id AS sub_account_id,
  project_name AS sub_account_name,
  service_category,
  service_name,
  service_id AS service_code,
  sku_id,
  sku_meter,
  consumed_unit,
  region AS region_id,
  CASE WHEN length(currency) <= 5 THEN upper(currency) END AS billing_currency,
  charge_class,
  machine_spec AS instance_type,
  TRY_CAST(cores AS DOUBLE) AS vcpu,
  TRY_CAST(memory_mib AS DOUBLE) / 1024 AS memory_gib,
  pricing_model
FROM grouped;
