-- name: focus
-- title: FOCUS 1.0 to 1.3 cost and usage (any provider)
-- version: 1
-- money: billed_cost
-- detect: all(BilledCost, BillingCurrency, BillingPeriodStart, ChargeCategory, ChargePeriodStart) any(ProviderName, ServiceProviderName, PublisherName, HostProviderName, InvoiceIssuerName)
-- tags: map Tags
-- column: provider_name alias ServiceProviderName, ProviderName, HostProviderName, InvoiceIssuerName, PublisherName text
-- column: BillingAccountId text
-- column: BillingCurrency text required
-- column: BillingPeriodStart time required
-- column: ChargePeriodStart time required
-- column: ChargeCategory text required
-- column: ChargeClass text
-- column: ChargeDescription text
-- column: CommitmentDiscountStatus text
-- column: PricingCategory text
-- column: BilledCost number required
-- column: EffectiveCost number
-- column: ConsumedQuantity number
-- column: ConsumedUnit text
-- column: PricingQuantity number
-- column: PricingUnit text
-- column: SubAccountId text
-- column: SubAccountName text
-- column: RegionId text
-- column: ServiceName text
-- column: ServiceCategory text
-- column: ResourceId text
-- column: SkuId text
-- column: SkuMeter text
-- column: meter_sub alias x_SkuMeterSubcategory, x_SkuMeterSubCategory text
-- column: meter_name alias x_SkuMeterName text
-- column: usage_type alias x_UsageType text
-- column: x_SkuDescription text
-- column: operation alias x_Operation, x_SkuOperation text
-- column: service_code alias x_ServiceCode, x_SkuMeterCategory, x_ServiceId text
-- column: instance_type from SkuPriceDetails['InstanceType'] text
-- column: core_count from SkuPriceDetails['CoreCount'] text
-- column: memory_size from SkuPriceDetails['MemorySize'] text
-- column: gpu_count from SkuPriceDetails['GpuCount'] text
-- column: storage_class from SkuPriceDetails['StorageClass'] text
-- column: redundancy from SkuPriceDetails['Redundancy'] text
-- column: azure_service_type from x_SkuDetails['ServiceType'] text
-- column: azure_vcpus from x_SkuDetails['VCPUs'] text

-- lines:
SELECT
  CASE
    WHEN ChargeCategory = 'Usage' OR lower(ChargeCategory) = 'usage' THEN
      CASE WHEN lower(CommitmentDiscountStatus) = 'unused' THEN 'unused_commitment' ELSE 'usage' END
    WHEN lower(ChargeCategory) = 'tax' THEN 'tax'
    WHEN lower(ChargeCategory) = 'credit' THEN 'credit'
    WHEN lower(ChargeCategory) = 'purchase' THEN 'purchase'
    WHEN lower(ChargeCategory) = 'adjustment' THEN 'adjustment'
    ELSE 'unknown_charge'
  END AS charge_class,
  BillingPeriodStart AS billing_period,
  BillingAccountId AS billing_account_id,
  provider_name AS provider,
  BillingCurrency AS billing_currency,
  ChargePeriodStart AS charge_time,
  -- the consumed pair is null unless the line is usage; where a usage line lacks it, the pricing pair stands in
  CASE WHEN ConsumedUnit IS NULL THEN PricingQuantity ELSE ConsumedQuantity END AS consumed_quantity,
  BilledCost AS billed_cost,
  EffectiveCost AS effective_cost,
  coalesce(ConsumedUnit, PricingUnit) AS consumed_unit,
  SubAccountId AS sub_account_id,
  SubAccountName AS sub_account_name,
  RegionId AS region_id,
  ServiceName AS service_name,
  ServiceCategory AS service_category,
  ResourceId AS resource_id,
  SkuId AS sku_id,
  SkuMeter, meter_sub, meter_name, usage_type, x_SkuDescription, ChargeDescription, operation, service_code,
  PricingCategory, CommitmentDiscountStatus,
  instance_type, core_count, memory_size, gpu_count, storage_class, redundancy, azure_service_type, azure_vcpus
FROM raw

-- groups:
SELECT
  service_name,
  service_code,
  sku_id,
  coalesce(usage_type, CASE WHEN meter_name IS NOT NULL THEN concat_ws(' - ', meter_sub, meter_name) END, x_SkuDescription, SkuMeter, ChargeDescription) AS sku_meter,
  operation,
  consumed_unit,
  region_id,
  CASE WHEN usage_type IS NULL AND meter_name IS NULL AND x_SkuDescription IS NULL AND SkuMeter IS NOT NULL AND instance_type IS NULL THEN ChargeDescription END AS description,
  coalesce(instance_type, azure_service_type) AS instance_type,
  TRY_CAST(coalesce(core_count, azure_vcpus) AS DOUBLE) AS vcpu,
  TRY_CAST(regexp_extract(memory_size, '^[0-9.]+') AS DOUBLE) AS memory_gib,
  TRY_CAST(gpu_count AS DOUBLE) AS gpu,
  storage_class,
  redundancy,
  NULL AS deployment,
  NULL AS transfer_kind,
  NULL AS to_region,
  lower(CASE WHEN CommitmentDiscountStatus IS NOT NULL THEN 'committed' ELSE PricingCategory END) AS pricing_model,
  service_category
FROM grouped
