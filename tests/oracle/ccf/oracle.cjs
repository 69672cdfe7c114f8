"use strict";
// Cloud Carbon Footprint itself, row by row: JSON rows on stdin, JSON answers on stdout.
// Usage: node oracle.cjs FOLDER_WITH_NODE_MODULES. A row: {provider, service, usage_type, unit, region, vcpu, amount, date}.
// Embodied emissions, which it turns into kWh and adds, are set to nothing; all else is its own code.
const path = require("path");
const folder = path.join(process.argv[2], "node_modules", "@cloud-carbon-footprint");
const core = require(path.join(folder, "core"));
const NOTHING = { timestamp: undefined, kilowattHours: 0, co2e: 0 };

function estimators(constants) {
  return [
    new core.ComputeEstimator(),
    new core.StorageEstimator(constants.SSDCOEFFICIENT),
    new core.StorageEstimator(constants.HDDCOEFFICIENT),
    new core.NetworkingEstimator(constants.NETWORKING_COEFFICIENT),
    new core.MemoryEstimator(constants.MEMORY_COEFFICIENT),
    new core.UnknownEstimator(constants.ESTIMATE_UNKNOWN_USAGE_BY),
    new core.EmbodiedEmissionsEstimator(constants.SERVER_EXPECTED_LIFESPAN),
  ];
}

const aws = {
  domain: require(path.join(folder, "aws/dist/domain")),
  Reports: require(path.join(folder, "aws/dist/lib/CostAndUsageReports")).default,
  Row: require(path.join(folder, "aws/dist/lib/CostAndUsageReportsRow")).default,
  types: require(path.join(folder, "aws/dist/lib/AWSInstanceTypes")),
};
const azure = {
  domain: require(path.join(folder, "azure/dist/domain")),
  Reports: require(path.join(folder, "azure/dist/lib/ConsumptionManagement")).default,
  Row: require(path.join(folder, "azure/dist/lib/ConsumptionDetailRow")).default,
  types: require(path.join(folder, "azure/dist/lib/VirtualMachineTypes")),
};
const awsReports = new aws.Reports(...estimators(aws.domain.AWS_CLOUD_CONSTANTS));
const azureReports = new azure.Reports(...estimators(azure.domain.AZURE_CLOUD_CONSTANTS));
for (const reports of [awsReports, azureReports]) reports.getEmbodiedEmissions = () => NOTHING;

function awsRow(row) {
  const when = new Date(row.date);
  const made = new aws.Row(when, "", "", row.region, row.service, row.usage_type, row.unit, row.vcpu, row.amount, 1, {});
  return [awsReports, made, aws.domain.AWS_EMISSIONS_FACTORS_METRIC_TON_PER_KWH];
}

function azureRow(row) {
  const made = new azure.Row({
    kind: "modern", tags: {}, date: row.date, quantity: row.amount, costInUSD: 1, resourceLocation: row.region,
    subscriptionName: "", subscriptionGuid: "", meterName: row.usage_type, unitOfMeasure: row.unit,
    meterCategory: row.service,
  });
  return [azureReports, made, azure.domain.AZURE_EMISSIONS_FACTORS_METRIC_TON_PER_KWH];
}

function answer(row) {
  const unknown = [];
  try {
    const [reports, made, factors] = row.provider === "aws" ? awsRow(row) : azureRow(row);
    const found = reports.getFootprintEstimateFromUsageRow(made, unknown, factors);
    if (unknown.length) return { state: "unknown" };
    if (!found) return { state: "nothing" };
    return { state: "known", kwh: found.kilowattHours, kg: found.co2e * 1000 };
  } catch (error) {
    return { state: "crash", message: error.message };
  }
}

function machines() {
  const found = [];
  for (const [family, sizes] of Object.entries(aws.types.EC2_INSTANCE_TYPES))
    for (const size of Object.keys(sizes)) found.push({ provider: "aws", name: `${family}.${size}` });
  for (const [series, sizes] of Object.entries(azure.types.VIRTUAL_MACHINE_TYPE_SERIES_MAPPING))
    for (const size of Object.keys(sizes)) found.push({ provider: "azure", name: size, series });
  return found;
}

const say = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true; // its logger talks there
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const rows = JSON.parse(Buffer.concat(chunks).toString());
  say(JSON.stringify({ machines: machines(), answers: rows.map(answer) }));
});
