/*---
name = "gcp_billing"
title = "Google Cloud billing export, standard or detailed (CSV with dotted names, JSON lines or Parquet)"
engines = ["duckdb"]
money = "billed_cost"
date_styles = ["%Y%m"]
tag_columns = ["labels", "project.labels", "tags"]

[detect]
all = ["billing_account_id", "service.id", "sku.id", "usage_start_time", "cost", "currency"]
none = ["BilledCost"]

[identity]
provider = "'gcp'"
account = "billing_account_id"
period = "invoice_month"
currency = "CASE WHEN length(trim(currency)) <= 5 THEN upper(trim(currency)) END"
money = "cost + coalesce(credits, 0)"

[required]
billing_account_id = "text"
cost = "money"
currency = "text"
usage_start_time = "time"
# YYYYMM in Pacific time, as Google invoices
invoice_month = { kind = "time", from = ["invoice.month"] }

[optional]
# money that comes off the cost: part of what is invoiced
credits = { kind = "money", from = ["credits"], sum_of = "amount" }
cost_type = "text"
transaction_type = "text"
service_id = { from = ["service.id"] }
service_description = { from = ["service.description"] }
sku_id = { from = ["sku.id"] }
sku_description = { from = ["sku.description"] }
project_id = { from = ["project.id"] }
project_name = { from = ["project.name"] }
usage_amount = { kind = "quantity", from = ["usage.amount"] }
usage_unit = { from = ["usage.unit"] }
location = { from = ["location.region", "location.location", "location.country"] }
resource_name = { from = ["resource.global_name", "resource.name"] }
consumption_model = { from = ["consumption_model.description"] }
machine_spec = { from = ["system_labels[compute.googleapis.com/machine_spec]"] }
cores = { from = ["system_labels[compute.googleapis.com/cores]"] }
memory_mib = { from = ["system_labels[compute.googleapis.com/memory]"] }

# credits stand in the line that they reduce; here they are lines of their own, as other providers have them
[split]
when = "credits <> 0"
replace = { cost = "credits", credits = "0", usage_amount = "NULL", cost_type = "'credit'" }
---*/

-- lines: what is needed of every line; usage keeps its cost, what comes off it is a credit, effective is the net
SELECT
  invoice_month,
  usage_start_time AS charge_period_start,
  billing_account_id,
  project_id,
  project_name AS sub_account_name,
  currency,
  cost_type,
  service_id,
  service_description,
  sku_id,
  sku_description,
  usage_unit,
  location,
  consumption_model,
  machine_spec,
  cores,
  memory_mib,
  resource_name AS resource_id,
  usage_amount AS consumed_quantity,
  cost AS billed_cost,
  CASE WHEN cost_type IS DISTINCT FROM 'credit' THEN cost + coalesce(credits, 0) ELSE 0 END AS effective_cost
FROM raw;

-- groups: what can be derived once per group of lines
SELECT
  strftime(invoice_month, '%Y-%m') AS billing_period,
  'gcp' AS provider,
  billing_account_id,
  coalesce(project_id, billing_account_id) AS sub_account_id,
  sub_account_name,
  service_description AS service_name,
  service_id AS service_code,
  sku_id,
  sku_description AS sku_meter,
  usage_unit AS consumed_unit,
  location AS region_id,
  CASE WHEN length(currency) <= 5 THEN upper(currency) END AS billing_currency,
  CASE
    WHEN cost_type IS NULL OR lower(cost_type) = 'regular' THEN 'usage'
    WHEN lower(cost_type) = 'credit' THEN 'credit'
    WHEN lower(cost_type) = 'tax' THEN 'tax'
    WHEN lower(cost_type) = 'adjustment' THEN 'adjustment'
    WHEN lower(cost_type) = 'rounding_error' THEN 'rounding'
    ELSE 'unknown_charge'
  END AS charge_class,
  machine_spec AS instance_type,
  TRY_CAST(cores AS DOUBLE) AS vcpu,
  TRY_CAST(memory_mib AS DOUBLE) / 1024 AS memory_gib,
  lower(consumption_model) AS pricing_model
FROM grouped;
