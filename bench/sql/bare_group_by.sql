-- What ingest is measured against: one GROUP BY of the raw columns that the CUR 2.0 mapping reads.
CREATE TEMP TABLE grouped AS
SELECT
  bill_billing_period_start_date, line_item_usage_start_date::DATE AS day, bill_payer_account_id,
  line_item_usage_account_id, line_item_usage_account_name, line_item_line_item_type, line_item_currency_code,
  line_item_product_code, line_item_usage_type, line_item_operation, line_item_resource_id, pricing_unit, product_sku,
  product_region_code, product_to_region_code, product_instance_type,
  product['product_name'] AS product_name, product['vcpu'] AS vcpu, product['memory'] AS memory, product['gpu'] AS gpu,
  sum(line_item_usage_amount) AS usage_amount,
  sum(line_item_unblended_cost) AS unblended_cost,
  sum(reservation_effective_cost) AS reservation_effective_cost,
  sum(savings_plan_savings_plan_effective_cost) AS savings_plan_effective_cost,
  sum(savings_plan_total_commitment_to_date) AS savings_plan_total,
  sum(savings_plan_used_commitment) AS savings_plan_used,
  sum(reservation_unused_amortized_upfront_fee_for_billing_period) AS unused_upfront,
  sum(reservation_unused_recurring_fee) AS unused_recurring,
  count(*) AS line_items
FROM raw
GROUP BY ALL
