-- Raw totals of a Google Cloud billing export (standard or detailed), by billing period and currency.
-- Not grouped by the grain and reading four columns only: what the rows are compared with, and how a restatement shows.
SELECT
  $period AS invoice_month,
  currency,
  COUNT(*) AS line_items,
  COUNTIF(SAFE_CAST(CAST(cost AS STRING) AS BIGNUMERIC) IS NULL OR currency IS NULL) AS unreadable,
  SUM(ROUND(SAFE_CAST(CAST(cost AS STRING) AS BIGNUMERIC), 15)) AS cost,
  SUM($credits) AS credits,
  MAX(export_time) AS last_export,
  SUM(CAST(UNIX_MICROS(export_time) AS BIGNUMERIC)) AS export_micros,
  $partition_first AS partition_first,
  $partition_last AS partition_last,
  CURRENT_TIMESTAMP() AS taken_at
FROM `$table` $now
WHERE @invoice_month IS NULL OR $period = @invoice_month
GROUP BY invoice_month, currency
