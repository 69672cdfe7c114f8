-- Raw totals of a FOCUS export or view of Google Cloud, by billing period and currency; not grouped by the grain.
SELECT
  $period AS invoice_month,
  BillingCurrency AS currency,
  COUNT(*) AS line_items,
  COUNTIF(SAFE_CAST(CAST(BilledCost AS STRING) AS BIGNUMERIC) IS NULL OR BillingCurrency IS NULL) AS unreadable,
  SUM(ROUND(SAFE_CAST(CAST(BilledCost AS STRING) AS BIGNUMERIC), 15)) AS cost,
  CAST(0 AS BIGNUMERIC) AS credits,
  MAX($export_time) AS last_export,
  SUM(CAST(UNIX_MICROS($export_time) AS BIGNUMERIC)) AS export_micros,
  $partition_first AS partition_first,
  $partition_last AS partition_last,
  CURRENT_TIMESTAMP() AS taken_at
FROM `$table` $now
WHERE @invoice_month IS NULL OR $period = @invoice_month
GROUP BY invoice_month, currency
