-- The price list and the resources of a synthetic organisation, as AWS writes them in CUR 2.0.
-- Variables: seed, slots (a slot is one resource using one SKU; it gives one line an hour).
CREATE OR REPLACE TABLE regions AS
FROM (VALUES
  ('us-east-1', '', 'US East (N. Virginia)'), ('us-east-2', 'USE2-', 'US East (Ohio)'),
  ('us-west-1', 'USW1-', 'US West (N. California)'), ('us-west-2', 'USW2-', 'US West (Oregon)'),
  ('ca-central-1', 'CAN1-', 'Canada (Central)'), ('sa-east-1', 'SAE1-', 'South America (Sao Paulo)'),
  ('eu-west-1', 'EU-', 'EU (Ireland)'), ('eu-west-2', 'EUW2-', 'EU (London)'), ('eu-west-3', 'EUW3-', 'EU (Paris)'),
  ('eu-central-1', 'EUC1-', 'EU (Frankfurt)'), ('eu-north-1', 'EUN1-', 'EU (Stockholm)'),
  ('ap-south-1', 'APS3-', 'Asia Pacific (Mumbai)'), ('ap-southeast-1', 'APS1-', 'Asia Pacific (Singapore)'),
  ('ap-southeast-2', 'APS2-', 'Asia Pacific (Sydney)'), ('ap-northeast-1', 'APN1-', 'Asia Pacific (Tokyo)'),
  ('ap-northeast-2', 'APN2-', 'Asia Pacific (Seoul)')
) AS t (region, prefix, location);

CREATE OR REPLACE TABLE shapes AS
SELECT family || '.' || size AS instance_type, family, vcpu, vcpu * gib_per_vcpu AS gib, vcpu * usd_per_vcpu AS usd
FROM (VALUES
  ('m5', 4, 0.048), ('m5a', 4, 0.043), ('m6i', 4, 0.048), ('m6g', 4, 0.0385), ('m7i', 4, 0.0504), ('m7g', 4, 0.0408),
  ('c5', 2, 0.0425), ('c6i', 2, 0.0425), ('c6g', 2, 0.034), ('c7g', 2, 0.03625), ('c7i', 2, 0.0446),
  ('r5', 8, 0.063), ('r6i', 8, 0.063), ('r6g', 8, 0.0504), ('r7g', 8, 0.0535), ('i3', 7.625, 0.078)
) AS f (family, gib_per_vcpu, usd_per_vcpu),
(VALUES ('large', 2), ('xlarge', 4), ('2xlarge', 8), ('4xlarge', 16), ('8xlarge', 32), ('16xlarge', 64)) AS s (size, vcpu)
UNION ALL
FROM (VALUES ('t3.micro', 't3', 2, 1.0, 0.0104), ('t3.small', 't3', 2, 2.0, 0.0208), ('t3.medium', 't3', 2, 4.0, 0.0416),
  ('t3.large', 't3', 2, 8.0, 0.0832), ('t4g.medium', 't4g', 2, 4.0, 0.0336), ('g4dn.xlarge', 'g4dn', 4, 16.0, 0.526));

-- meter, product code, product family, operation, unit, usd per unit, units per hour, description
CREATE OR REPLACE TABLE meters AS
FROM (VALUES
  ('EBS:VolumeUsage.gp3', 'AmazonEC2', 'Storage', 'CreateVolume-Gp3', 'GB-Mo', 0.08, 0.14, 'General Purpose (gp3) provisioned storage'),
  ('EBS:VolumeUsage.gp2', 'AmazonEC2', 'Storage', 'CreateVolume-Gp2', 'GB-Mo', 0.10, 0.14, 'General Purpose SSD (gp2) provisioned storage'),
  ('EBS:VolumeUsage.st1', 'AmazonEC2', 'Storage', 'CreateVolume-St1', 'GB-Mo', 0.045, 0.7, 'Throughput Optimized HDD (st1) provisioned storage'),
  ('EBS:SnapshotUsage', 'AmazonEC2', 'Storage Snapshot', 'CreateSnapshot', 'GB-Mo', 0.05, 0.3, 'snapshot data stored'),
  ('EBS:VolumeP-IOPS.gp3', 'AmazonEC2', 'System Operation', 'CreateVolume-Gp3', 'IOPS-Mo', 0.005, 4.0, 'provisioned IOPS (gp3)'),
  ('DataTransfer-Out-Bytes', 'AmazonEC2', 'Data Transfer', 'RunInstances', 'GB', 0.09, 2.0, 'data transfer out'),
  ('DataTransfer-Regional-Bytes', 'AmazonEC2', 'Data Transfer', 'InterZone-In', 'GB', 0.01, 8.0, 'regional data transfer'),
  ('DataTransfer-In-Bytes', 'AmazonEC2', 'Data Transfer', 'RunInstances', 'GB', 0.0, 3.0, 'data transfer in'),
  ('NatGateway-Hours', 'AmazonEC2', 'NAT Gateway', 'NatGateway', 'Hrs', 0.045, 1.0, 'NAT Gateway Hour'),
  ('NatGateway-Bytes', 'AmazonEC2', 'NAT Gateway', 'NatGateway', 'GB', 0.045, 5.0, 'data processed by NAT Gateways'),
  ('LoadBalancerUsage', 'AWSELB', 'Load Balancer-Application', 'LoadBalancing:Application', 'Hrs', 0.0225, 1.0, 'Application LoadBalancer-hour'),
  ('LCUUsage', 'AWSELB', 'Load Balancer-Application', 'LoadBalancing:Application', 'LCU-Hrs', 0.008, 2.0, 'Application load balancer capacity unit-hour'),
  ('TimedStorage-ByteHrs', 'AmazonS3', 'Storage', 'StandardStorage', 'GB-Mo', 0.023, 1.4, 'S3 Standard storage'),
  ('TimedStorage-SIA-ByteHrs', 'AmazonS3', 'Storage', 'StandardIAStorage', 'GB-Mo', 0.0125, 2.0, 'S3 Standard-Infrequent Access storage'),
  ('TimedStorage-GlacierByteHrs', 'AmazonS3', 'Storage', 'GlacierStorage', 'GB-Mo', 0.0036, 5.0, 'Glacier Flexible Retrieval storage'),
  ('Requests-Tier1', 'AmazonS3', 'API Request', 'PutObject', 'Requests', 0.000005, 900.0, 'PUT, COPY, POST, or LIST requests'),
  ('Requests-Tier2', 'AmazonS3', 'API Request', 'GetObject', 'Requests', 0.0000004, 9000.0, 'GET and all other requests'),
  ('Lambda-GB-Second', 'AWSLambda', 'Serverless', 'Invoke', 'Lambda-GB-Second', 0.0000166667, 4000.0, 'total compute (seconds)'),
  ('Lambda-GB-Second-ARM', 'AWSLambda', 'Serverless', 'Invoke', 'Lambda-GB-Second', 0.0000133334, 4000.0, 'total compute (seconds) - Arm'),
  ('Fargate-vCPU-Hours:perCPU', 'AmazonECS', 'Compute', 'FargateTask', 'hours', 0.04048, 2.0, 'AWS Fargate - vCPU'),
  ('Fargate-GB-Hours', 'AmazonECS', 'Compute', 'FargateTask', 'hours', 0.004445, 8.0, 'AWS Fargate - Memory'),
  ('AmazonEKS-Hours:perCluster', 'AmazonEKS', 'Compute', 'CreateOperation', 'hours', 0.10, 1.0, 'Amazon EKS cluster usage'),
  ('RDS:GP3-Storage', 'AmazonRDS', 'Database Storage', 'CreateDBInstance:0016', 'GB-Mo', 0.115, 0.3, 'provisioned gp3 storage'),
  ('RDS:ChargedBackupUsage', 'AmazonRDS', 'Storage Snapshot', 'RDSSnapshot', 'GB-Mo', 0.095, 0.2, 'additional backup storage'),
  ('TimedStorage-ByteHrs-DDB', 'AmazonDynamoDB', 'Database Storage', 'StandardStorage', 'GB-Mo', 0.25, 0.1, 'DynamoDB indexed data storage'),
  ('WriteRequestUnits', 'AmazonDynamoDB', 'Amazon DynamoDB PayPerRequest Throughput', 'PayPerRequestThroughput', 'WriteRequestUnits', 0.00000125, 20000.0, 'write request units'),
  ('CW:MetricMonitorUsage', 'AmazonCloudWatch', 'Metric', 'MetricStorage:AWS/EC2', 'Metrics', 0.3, 0.1, 'metrics'),
  ('DataProcessing-Bytes', 'AmazonCloudWatch', 'Data Payload', 'PutLogEvents', 'GB', 0.5, 0.3, 'custom log data ingested'),
  ('KMS-Requests', 'awskms', 'API Request', 'Decrypt', 'Requests', 0.000003, 500.0, 'requests'),
  ('TimedStorage-EFS', 'AmazonEFS', 'Storage', 'Storage', 'GB-Mo', 0.30, 0.2, 'EFS Standard storage')
) AS t (meter, code, family, operation, unit, usd, per_hour, description);

CREATE OR REPLACE TABLE skus AS
WITH listed AS (
  SELECT prefix || kind || ':' || instance_type AS usage_type, 'AmazonEC2' AS code, 'Compute Instance' AS product_family,
    'RunInstances' || operation AS operation, 'Hrs' AS unit, usd * discount AS usd, 1.0 AS per_hour,
    instance_type, family AS instance_family, vcpu, gib, os, region, location,
    '$' || usd || ' per ' || os || ' ' || instance_type || ' Instance Hour' AS description
  FROM shapes, regions,
    (VALUES ('BoxUsage', '', 'Linux', 1.0), ('SpotUsage', ':SV001', 'Linux', 0.35), ('BoxUsage', ':0002', 'Windows', 1.9)) AS k (kind, operation, os, discount)
  UNION ALL
  SELECT prefix || kind || ':db.' || instance_type, 'AmazonRDS', 'Database Instance', 'CreateDBInstance:0016', 'Hrs', usd * factor, 1.0,
    'db.' || instance_type, family, vcpu, gib, NULL, region, location, 'RDS db.' || instance_type || ' ' || deployment || ' hour running PostgreSQL'
  FROM shapes, regions, (VALUES ('InstanceUsage', 'Single-AZ', 1.8), ('Multi-AZUsage', 'Multi-AZ', 3.6)) AS k (kind, deployment, factor)
  WHERE family IN ('m5', 'm6g', 'r5', 'r6g')
  UNION ALL
  SELECT prefix || 'NodeUsage:cache.' || instance_type, 'AmazonElastiCache', 'Cache Instance', 'CreateCacheCluster:0002', 'Hrs', usd * 1.6, 1.0,
    'cache.' || instance_type, family, vcpu, gib, NULL, region, location, 'cache.' || instance_type || ' node hour running Redis'
  FROM shapes, regions WHERE family IN ('m5', 'm6g', 'r5', 'r6g')
  UNION ALL
  SELECT prefix || meter, code, family, operation, unit, usd, per_hour, NULL, NULL, NULL, NULL, NULL, region, location, '$' || usd || ' per ' || unit || ' ' || description
  FROM meters, regions
)
SELECT row_number() OVER (ORDER BY usage_type, operation, region, code) - 1 AS sku_index,
  upper(substr(md5(usage_type || operation || region || code), 1, 16)) AS sku,
  * REPLACE (usd::DOUBLE AS usd, per_hour::DOUBLE AS per_hour) FROM listed;

SET VARIABLE sku_count = (SELECT count(*) FROM skus);

-- Half of the slots go through the price list in turn, half prefer what everybody uses (a cubed uniform draw).
CREATE OR REPLACE TABLE slots AS
WITH drawn AS (
  SELECT slot, md5_number_lower('sku' || slot || ':' || getvariable('seed')) % 1000000 / 1e6 AS u,
    md5_number_lower('who' || slot || ':' || getvariable('seed')) AS h
  FROM range(getvariable('slots')) AS r (slot)
), placed AS (
  SELECT slot, h, CASE WHEN slot % 2 = 0 THEN (slot // 2 * 7919) % getvariable('sku_count')
    ELSE floor(u * u * u * getvariable('sku_count'))::BIGINT END AS sku_index FROM drawn
)
SELECT p.slot, s.* EXCLUDE (sku_index),
  format('{:012d}', 100000000000 + (p.h % 40) * 7654321) AS account_id, 'Account ' || (p.h % 40) AS account_name,
  CASE WHEN s.code = 'AmazonEC2' AND s.instance_type IS NOT NULL THEN 'i-' || substr(md5('r' || p.slot), 1, 17)
    WHEN s.code = 'AmazonEC2' AND s.usage_type LIKE '%EBS%' THEN 'vol-' || substr(md5('r' || p.slot), 1, 17)
    WHEN s.code = 'AmazonS3' THEN 'bucket-' || substr(md5('r' || p.slot), 1, 12)
    ELSE 'arn:aws:' || lower(replace(replace(s.code, 'Amazon', ''), 'AWS', '')) || ':' || s.region || ':resource/' || substr(md5('r' || p.slot), 1, 12)
  END AS resource_id,
  CASE WHEN s.instance_type IS NULL THEN 'Usage' WHEN p.h % 100 < 12 THEN 'SavingsPlanCoveredUsage'
    WHEN p.h % 100 < 18 THEN 'DiscountedUsage' WHEN p.h % 100 < 20 THEN 'SavingsPlanNegation' ELSE 'Usage' END AS line_item_type,
  s.region || substr('abc', 1 + (p.h % 3)::INT, 1) AS zone,
  map_from_entries(list_filter([
    {k: 'product_name', v: s.code}, {k: 'region', v: s.region}, {k: 'location', v: s.location}, {k: 'servicecode', v: s.code},
    {k: 'instance_type', v: s.instance_type}, {k: 'vcpu', v: s.vcpu::INT::VARCHAR}, {k: 'memory', v: s.gib || ' GiB'},
    {k: 'operating_system', v: s.os}, {k: 'tenancy', v: CASE WHEN s.instance_type IS NOT NULL THEN 'Shared' END},
    {k: 'usagetype', v: s.usage_type}, {k: 'physical_processor', v: CASE WHEN s.instance_type IS NOT NULL THEN 'Intel Xeon Platinum 8175' END},
    {k: 'sku', v: s.sku}], lambda e: e.v IS NOT NULL)) AS product,
  map_from_entries(list_filter([
    {k: 'user_team', v: ['payments', 'search', 'platform', 'data', 'web'][1 + (p.h // 7 % 5)::INT]},
    {k: 'user_environment', v: CASE WHEN p.h % 9 > 0 THEN ['prod', 'staging', 'dev'][1 + (p.h // 11 % 3)::INT] END}],
    lambda e: e.v IS NOT NULL)) AS resource_tags,
  MAP {'cost_center': 'cc-' || (p.h // 13 % 12)} AS cost_category
FROM placed AS p JOIN skus AS s USING (sku_index) ORDER BY p.slot;
