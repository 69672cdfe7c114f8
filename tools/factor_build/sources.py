"""Where the numbers come from: one row per source, with its licence and what must be said about it."""

from tools.factor_build.tables import Row

COLUMNS = ("source_id", "name", "source_ref", "licence", "vintage", "attribution")

_ROWS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("methodology", "OffGridFlow methodology", "docs/methodology", "Apache-2.0", "2026-11", ""),
    ("recalled", "General knowledge, not re-read", "docs/factors.md#evidence", "facts", "2026-11", ""),
    (
        "ember", "Ember Yearly Electricity Data, release 2026-04, via Our World in Data",
        "ember-energy.org/data/yearly-electricity-data", "CC-BY-4.0", "2026-04",
        "Ember, Yearly Electricity Data, 2026; changed: divided by one minus grid losses",
    ),
    (
        "egrid", "US EPA eGRID2023 rev2", "USEPA/power-profiler@f42a47a:app/data/subregion.json", "US public domain", "2023",
        "US EPA eGRID2023",
    ),
    (
        "gcpci", "Google Cloud region carbon info", "GoogleCloudPlatform/region-carbon-info@49f3f26:data/yearly",
        "Apache-2.0", "2024", "Google, region-carbon-info",
    ),
    (
        "nga", "Australian National Greenhouse Accounts Factors 2025 (DCCEEW)", "dcceew.gov.au, values agree in two repositories",
        "CC-BY-4.0", "2025", "Commonwealth of Australia (DCCEEW), National Greenhouse Accounts Factors 2025",
    ),
    (
        "cea", "Central Electricity Authority of India, CO2 baseline database version 21", "cea.nic.in, as cited by the methodology",
        "facts", "2025", "",
    ),
    (
        "emaps_fact", "Electricity Maps, one annual figure for Alberta", "electricitymaps.com annual average, zone CA-AB",
        "fact; one figure of an ODbL-1.0 database, not a substantial part", "2025", "Electricity Maps",
    ),
    (
        "ccf", "Cloud Carbon Footprint", "cloud-carbon-footprint/cloud-carbon-footprint@b7a049c", "Apache-2.0", "2024-03",
        "Cloud Carbon Footprint, Thoughtworks",
    ),
    (
        "ccfcoef", "ccf-coefficients, server embodied rule after the Dell R740 LCA",
        "cloud-carbon-footprint/ccf-coefficients@b0032d9", "Apache-2.0", "2026-04", "ccf-coefficients",
    ),
    (
        "spec", "SPECpower_ssj2008 published results, medians computed for this set",
        "ccf-coefficients@b0032d9:data/SPECpower-2026-03-09.csv (spec.org/power_ssj2008/results)",
        "SPEC fair use with attribution", "2026-03-09",
        "SPEC and SPECpower_ssj are marks of the Standard Performance Evaluation Corporation; the watts here are derived estimates, "
        "not SPEC metrics",
    ),
    (
        "teads", "Teads Engineering EC2 dataset", "ccf-coefficients@b0032d9:data/aws-instances.csv", "CC-BY-4.0", "2022",
        "Teads Engineering, Carbon footprint estimator for AWS instances",
    ),
    (
        "specs_aws", "Karpenter instance reference; Kubernetes cluster-autoscaler; CCF coefficients",
        "aws/karpenter-provider-aws@1d92708; kubernetes/autoscaler@55c37cd; ccf-coefficients@b0032d9", "Apache-2.0", "2026-08",
        "Karpenter, Kubernetes autoscaler",
    ),
    (
        "specs_azure", "Kubernetes cluster-autoscaler; CCF coefficients", "kubernetes/autoscaler@55c37cd; ccf-coefficients@b0032d9",
        "Apache-2.0", "2026-08", "Kubernetes autoscaler",
    ),
    (
        "specs_gcp", "gcosts; CCF coefficients", "gcosts google-cloud-compute-machine-types; ccf-coefficients@b0032d9",
        "Apache-2.0 (portions CC-BY-4.0, Google documentation)", "2026-08", "gcosts; Google Cloud documentation",
    ),
    ("aws_docs", "AWS documentation", "docs.aws.amazon.com", "facts", "2026", ""),
    ("azure_docs", "Microsoft documentation", "learn.microsoft.com/azure", "facts", "2026", ""),
    ("gcp_docs", "Google Cloud documentation", "cloud.google.com/docs", "facts", "2026", ""),
    ("vendor", "Datasheets of the accelerators' makers", "product pages, thermal design power", "facts", "2026-11", ""),
    (
        "aws_pue", "AWS regional PUE and WUE 2024", "DigitalPebble/spruce@8840d3c (file Apache-2.0); sustainability.aboutamazon.com",
        "provider-published facts", "2024", "",
    ),
    ("aws_fleet", "AWS sustainability page", "sustainability.aboutamazon.com", "provider-published facts", "2025", ""),
    (
        "azure_pue", "Microsoft regional datacenter fact sheets, cited one by one", "datacenters.microsoft.com",
        "provider-published facts", "2023", "",
    ),
    (
        "azure_geo", "Microsoft datacenter efficiency page, geography averages",
        "DigitalPebble/spruce@8840d3c (file Apache-2.0); datacenters.microsoft.com", "provider-published facts", "2025", "",
    ),
    (
        "gcp_pue", "Google data center efficiency, campuses and fleet, cited one by one", "google.com/about/datacenters/efficiency",
        "provider-published facts", "2025", "",
    ),
    ("oracle_pue", "Oracle statement quoted by DatacenterDynamics", "datacenterdynamics.com", "provider-published facts", "2024", ""),
    ("alibaba_pue", "Alibaba Cloud ESG report", "alibabagroup.com/esg", "provider-published facts", "2024", ""),
    ("uptime", "Uptime Institute Global Data Center Survey 2024", "uptimeinstitute.com", "facts", "2024", ""),
    (
        "wri", "WRI, water use embedded in electricity", "DigitalPebble/spruce@8840d3c:src/main/resources/wcf.csv", "CC-BY-4.0", "2020",
        "World Resources Institute",
    ),
    (
        "boavizta_fact", "Boavizta methodology, single figures", "boavizta.org/methodology", "facts; single figures cited", "2026-10",
        "Boavizta",
    ),
    ("etsy", "Etsy Cloud Jewels", "etsy/cloud-jewels@54f2874", "MIT", "2020-04", "Etsy"),
    (
        "aslan", "Aslan, Mayers, Koomey, France 2018, Electricity Intensity of Internet Data Transmission",
        "doi.org/10.1111/jiec.12630", "facts", "2018", "",
    ),
    (
        "ecologits", "EcoLogits 0.11.3, run with PUE 1 and batch 64", "ecologits 0.11.3: data/models.json, impacts/llm.py",
        "MPL-2.0 (file ai_models.csv)", "2026-10", "EcoLogits, GenAI Impact",
    ),
    ("finops", "Microsoft FinOps toolkit open data", "microsoft/finops-toolkit: open-data/Regions.csv", "MIT", "2026", "FinOps toolkit"),
    ("botocore", "botocore 1.44.5", "botocore/data/partitions.json", "Apache-2.0", "2026", ""),
    ("oci", "OCI Python SDK 2.189.0", "oci/regions_definitions.py", "UPL-1.0 OR Apache-2.0", "2026", ""),
    ("spruce", "SPRUCE", "DigitalPebble/spruce@8840d3c", "Apache-2.0", "2026-07", "SPRUCE, DigitalPebble"),
)  # fmt: skip


def rows() -> list[Row]:
    """Return the table of sources."""
    return [dict(zip(COLUMNS, each, strict=True)) for each in _ROWS]


def notice() -> str:
    """Return the text that must travel with the data."""
    lines = [
        "Factor set offgridflow-2026.11",
        "",
        "The files in this folder were compiled by OffGridFlow from the sources in sources.csv. The compilation is",
        "Apache-2.0; the parts keep the licences named there. Changes that were made to them are in corrections.csv.",
        "",
        "ai_models.csv holds names of models from EcoLogits and values computed with it. That file, and only that file,",
        "is covered by the Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/).",
        "",
        "Attributions:",
        *(f"- {row[5]} ({row[3]}; {row[2]})" for row in sorted(_ROWS) if row[5]),
        "",
    ]
    return "\n".join(lines)
