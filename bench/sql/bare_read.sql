-- What the ingest of CSV is measured against: DuckDB's own read of the raw columns that the CUR 2.0 mapping reads.
CREATE TEMP TABLE lines AS
SELECT
  bill_billing_period_start_date, line_item_usage_start_date, bill_payer_account_id, line_item_usage_account_id,
  line_item_usage_account_name, line_item_line_item_type, line_item_currency_code, line_item_product_code,
  line_item_usage_type, line_item_operation, line_item_resource_id, pricing_unit, product_sku, product_region_code,
  product_to_region_code, product_instance_type, line_item_usage_amount, line_item_unblended_cost,
  reservation_effective_cost, savings_plan_savings_plan_effective_cost, savings_plan_total_commitment_to_date,
  savings_plan_used_commitment, reservation_unused_amortized_upfront_fee_for_billing_period,
  reservation_unused_recurring_fee
FROM raw
