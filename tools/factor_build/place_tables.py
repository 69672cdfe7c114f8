"""Places and spellings beyond the research files: Local Zones, edges, multi-regions. Recalled from the providers'
documentation; the members of Google's multi-regions are where Google says that data may lie."""

from typing import NamedTuple

PROVIDERS = {"oci": "oracle"}
"""Slug of the research files to slug of a bill's provider name."""


class LocalZone(NamedTuple):
    """An AWS Local Zone: its id, prefix in usage types, location name, parent region, ISO country, grid area."""

    zone: str
    prefix: str
    name: str
    parent: str
    country: str
    grid_area: str


LOCAL_ZONES: tuple[LocalZone, ...] = (
    LocalZone("us-east-1-atl-1", "ATL1", "US East (Atlanta)", "us-east-1", "USA", "egrid:SRSO@US-GA"),
    LocalZone("us-east-1-atl-2", "ATL2", "US East (Atlanta 2)", "us-east-1", "USA", "egrid:SRSO@US-GA"),
    LocalZone("us-east-1-bos-1", "BOS1", "US East (Boston)", "us-east-1", "USA", "egrid:NEWE@US-MA"),
    LocalZone("us-east-1-bue-1", "BUE1", "Argentina (Buenos Aires)", "us-east-1", "ARG", "country:ARG"),
    LocalZone("us-east-1-chi-1", "CHI1", "US East (Chicago)", "us-east-1", "USA", "egrid:RFCW@US-IL"),
    LocalZone("us-east-1-chi-2", "CHI2", "US East (Chicago 2)", "us-east-1", "USA", "egrid:RFCW@US-IL"),
    LocalZone("us-east-1-dfw-1", "DFW1", "US East (Dallas)", "us-east-1", "USA", "egrid:ERCT@US-TX"),
    LocalZone("us-east-1-dfw-2", "DFW2", "US East (Dallas 2)", "us-east-1", "USA", "egrid:ERCT@US-TX"),
    LocalZone("us-east-1-iah-1", "IAH1", "US East (Houston)", "us-east-1", "USA", "egrid:ERCT@US-TX"),
    LocalZone("us-east-1-iah-2", "IAH2", "US East (Houston 2)", "us-east-1", "USA", "egrid:ERCT@US-TX"),
    LocalZone("us-east-1-lim-1", "LIM1", "Peru (Lima)", "us-east-1", "PER", "country:PER"),
    LocalZone("us-east-1-mci-1", "MCI1", "US East (Kansas City 2)", "us-east-1", "USA", "egrid:SPNO@US-MO"),
    LocalZone("us-east-1-mia-1", "MIA1", "US East (Miami)", "us-east-1", "USA", "egrid:FRCC@US-FL"),
    LocalZone("us-east-1-mia-2", "MIA2", "US East (Miami 2)", "us-east-1", "USA", "egrid:FRCC@US-FL"),
    LocalZone("us-east-1-msp-1", "MSP1", "US East (Minneapolis)", "us-east-1", "USA", "egrid:MROW@US-MN"),
    LocalZone("us-east-1-nyc-1", "NYC1", "US East (New York City)", "us-east-1", "USA", "egrid:RFCE@US-NJ"),
    LocalZone("us-east-1-nyc-2", "NYC2", "US East (New York City 2)", "us-east-1", "USA", "egrid:RFCE@US-NJ"),
    LocalZone("us-east-1-phl-1", "PHL1", "US East (Philadelphia)", "us-east-1", "USA", "egrid:RFCE@US-PA"),
    LocalZone("us-east-1-qro-1", "QRO1", "Mexico (Queretaro)", "us-east-1", "MEX", "country:MEX"),
    LocalZone("us-east-1-scl-1", "SCL1", "Chile (Santiago)", "us-east-1", "CHL", "country:CHL"),
    LocalZone("us-west-2-den-1", "DEN1", "US West (Denver)", "us-west-2", "USA", "egrid:RMPA@US-CO"),
    LocalZone("us-west-2-hnl-1", "HNL1", "US West (Honolulu)", "us-west-2", "USA", "egrid:HIOA@US-HI"),
    LocalZone("us-west-2-las-1", "LAS1", "US West (Las Vegas)", "us-west-2", "USA", "egrid:AZNM@US-NV"),
    LocalZone("us-west-2-lax-1", "LAX1", "US West (Los Angeles)", "us-west-2", "USA", "egrid:CAMX@US-CA"),
    LocalZone("us-west-2-pdx-1", "PDX1", "US West (Portland)", "us-west-2", "USA", "egrid:NWPP@US-OR"),
    LocalZone("us-west-2-phx-1", "PHX1", "US West (Phoenix)", "us-west-2", "USA", "egrid:AZNM@US-AZ"),
    LocalZone("us-west-2-phx-2", "PHX2", "US West (Phoenix 2)", "us-west-2", "USA", "egrid:AZNM@US-AZ"),
    LocalZone("us-west-2-sea-1", "SEA1", "US West (Seattle)", "us-west-2", "USA", "egrid:NWPP@US-WA"),
    LocalZone("af-south-1-los-1", "LOS1", "Nigeria (Lagos)", "af-south-1", "NGA", "country:NGA"),
    LocalZone("ap-northeast-1-tpe-1", "TPE1", "Taiwan (Taipei)", "ap-northeast-1", "TWN", "country:TWN"),
    LocalZone("ap-south-1-ccu-1", "CCU1", "India (Kolkata)", "ap-south-1", "IND", "country:IND"),
    LocalZone("ap-south-1-del-1", "DEL1", "India (Delhi)", "ap-south-1", "IND", "country:IND"),
    LocalZone("ap-southeast-1-bkk-1", "BKK1", "Thailand (Bangkok)", "ap-southeast-1", "THA", "country:THA"),
    LocalZone("ap-southeast-1-mnl-1", "MNL1", "Philippines (Manila)", "ap-southeast-1", "PHL", "country:PHL"),
    LocalZone("ap-southeast-2-akl-1", "AKL1", "New Zealand (Auckland)", "ap-southeast-2", "NZL", "country:NZL"),
    LocalZone("ap-southeast-2-per-1", "PER1", "Australia (Perth)", "ap-southeast-2", "AUS", "nga:AU-WA"),
    LocalZone("eu-central-1-ham-1", "HAM1", "Germany (Hamburg)", "eu-central-1", "DEU", "country:DEU"),
    LocalZone("eu-central-1-waw-1", "WAW1", "Poland (Warsaw)", "eu-central-1", "POL", "country:POL"),
    LocalZone("eu-north-1-cph-1", "CPH1", "Denmark (Copenhagen)", "eu-north-1", "DNK", "country:DNK"),
    LocalZone("eu-north-1-hel-1", "HEL1", "Finland (Helsinki)", "eu-north-1", "FIN", "country:FIN"),
    LocalZone("me-south-1-mct-1", "MCT1", "Oman (Muscat)", "me-south-1", "OMN", "country:OMN"),
)


class Group(NamedTuple):
    """A region made of regions; ``aliases`` are its spellings."""

    provider: str
    region_id: str
    name: str
    kind: str
    members: tuple[str, ...]
    aliases: tuple[str, ...] = ()


_US = ("us-central1", "us-east1", "us-east4", "us-west1")
_EU = ("europe-west1", "europe-west4", "europe-north1")
_ASIA = ("asia-east1", "asia-southeast1")
_M, _E = "multi_region", "edge"
GROUPS: tuple[Group, ...] = (
    Group("gcp", "us", "United States (multi-region)", _M, _US, ("united states", "us multi-region", "us-multi-region")),
    Group("gcp", "eu", "European Union (multi-region)", _M, _EU, ("europe", "european union", "eu multi-region")),
    Group("gcp", "asia", "Asia (multi-region)", _M, _ASIA, ("asia pacific", "asia multi-region")),
    Group("gcp", "northamerica", "North America", _M, (*_US, "northamerica-northeast1"), ("north america", "americas")),
    Group("gcp", "nam3", "North America (nam3)", _M, ("us-east4", "us-east1", "us-central1")),
    Group("gcp", "nam4", "Iowa and South Carolina", _M, ("us-central1", "us-east1")),
    Group("gcp", "nam5", "United States (nam5)", _M, ("us-central1", "us-east1", "us-central2")),
    Group("gcp", "nam6", "North America (nam6)", _M, ("us-central1", "us-east1", "us-west1", "us-west2")),
    Group("gcp", "nam7", "United States (nam7)", _M, ("us-central1", "us-east4", "us-central2")),
    Group("gcp", "nam8", "United States (nam8)", _M, ("us-west2", "us-west1", "us-west3")),
    Group("gcp", "nam9", "North America (nam9)", _M, ("us-east4", "us-central1", "us-west1")),
    Group("gcp", "nam10", "North America (nam10)", _M, ("us-central1", "us-west3", "us-west1")),
    Group("gcp", "nam11", "North America (nam11)", _M, ("us-central1", "us-east1", "us-east4")),
    Group("gcp", "nam12", "North America (nam12)", _M, ("us-central1", "us-east4", "us-west1", "us-west2")),
    Group("gcp", "nam13", "United States (nam13)", _M, ("us-central2", "us-central1", "us-west2")),
    Group("gcp", "nam14", "North America (nam14)", _M, ("us-east4", "northamerica-northeast1", "us-east1")),
    Group("gcp", "nam15", "North America (nam15)", _M, ("us-south1", "us-east4", "us-central1")),
    Group("gcp", "nam16", "North America (nam16)", _M, ("us-central1", "us-east4", "northamerica-northeast2")),
    Group("gcp", "nam-eur-asia1", "Three continents (nam-eur-asia1)", _M, ("us-central1", "us-central2", "europe-west1", "asia-east1")),
    Group("gcp", "nam-eur-asia3", "Three continents (nam-eur-asia3)", _M, ("us-east1", "us-east4", "europe-west1", "asia-east1")),
    Group("gcp", "eur3", "Europe (eur3)", _M, ("europe-west1", "europe-west4", "europe-north1")),
    Group("gcp", "eur4", "Finland and Netherlands", _M, ("europe-north1", "europe-west4")),
    Group("gcp", "eur5", "Belgium and London", _M, ("europe-west1", "europe-west2")),
    Group("gcp", "eur6", "Europe (eur6)", _M, ("europe-west4", "europe-west3", "europe-west6")),
    Group("gcp", "eur7", "London and Frankfurt", _M, ("europe-west2", "europe-west3")),
    Group("gcp", "eur8", "Frankfurt and Zurich", _M, ("europe-west3", "europe-west6")),
    Group("gcp", "asia1", "Tokyo and Osaka", _M, ("asia-northeast1", "asia-northeast2")),
    Group("gcp", "asia2", "Asia (asia2)", _M, ("asia-south1", "asia-south2", "asia-southeast1")),
    Group("gcp", "in", "Mumbai and Delhi", _M, ("asia-south1", "asia-south2"), ("india",)),
    Group("gcp", "au1", "Sydney and Melbourne", _M, ("australia-southeast1", "australia-southeast2"), ("australia",)),
    Group("gcp", "ca", "Montreal and Toronto", _M, ("northamerica-northeast1", "northamerica-northeast2"), ("canada",)),
    Group("aws", "edge-us", "United States (edge)", _E, ("us-east-1", "us-east-2", "us-west-1", "us-west-2"), ("us", "united states")),
    Group("aws", "edge-eu", "Europe (edge)", _E, ("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2"), ("eu", "europe")),
    Group("aws", "edge-ca", "Canada (edge)", _E, ("ca-central-1", "ca-west-1"), ("ca", "canada")),
    Group("aws", "edge-ap", "Asia Pacific (edge)", _E, ("ap-southeast-1", "ap-east-1", "ap-northeast-2", "ap-southeast-3", "ap-southeast-5", "ap-southeast-7", "ap-east-2"), ("ap", "asia pacific", "hong kong, philippines, asia pacific")),
    Group("aws", "edge-jp", "Japan (edge)", _E, ("ap-northeast-1", "ap-northeast-3"), ("jp", "japan")),
    Group("aws", "edge-in", "India (edge)", _E, ("ap-south-1", "ap-south-2"), ("in", "india")),
    Group("aws", "edge-au", "Australia (edge)", _E, ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"), ("au", "australia", "oceania")),
    Group("aws", "edge-sa", "South America (edge)", _E, ("sa-east-1",), ("sa", "south america")),
    Group("aws", "edge-me", "Middle East (edge)", _E, ("me-south-1", "me-central-1", "il-central-1"), ("me", "middle east")),
    Group("aws", "edge-za", "South Africa (edge)", _E, ("af-south-1",), ("za", "south africa")),
    Group("azure", "unitedstates", "United States", _M, ("eastus", "eastus2", "centralus", "northcentralus", "southcentralus", "westus", "westus2", "westus3"), ("us", "united states", "zone 1 us", "north america")),
    Group("azure", "europe", "Europe", _M, ("northeurope", "westeurope"), ("eu", "zone 1 eu", "datazone eu")),
    Group("azure", "asiapacific", "Asia Pacific", _M, ("eastasia", "southeastasia"), ("asia pacific", "asia", "zone 2")),
    Group("azure", "australia", "Australia", _M, ("australiaeast", "australiasoutheast"), ()),
    Group("azure", "japan", "Japan", _M, ("japaneast", "japanwest"), ()),
    Group("azure", "uk", "United Kingdom", _M, ("uksouth", "ukwest"), ("united kingdom",)),
    Group("azure", "india", "India", _M, ("centralindia", "southindia", "westindia"), ()),
    Group("azure", "canada", "Canada", _M, ("canadacentral", "canadaeast"), ()),
    Group("azure", "brazil", "Brazil", _M, ("brazilsouth", "brazilsoutheast"), ("zone 3",)),
    Group("azure", "france", "France", _M, ("francecentral", "francesouth"), ()),
    Group("azure", "germany", "Germany", _M, ("germanywestcentral", "germanynorth"), ("zone 5 de",)),
    Group("azure", "switzerland", "Switzerland", _M, ("switzerlandnorth", "switzerlandwest"), ()),
    Group("azure", "norway", "Norway", _M, ("norwayeast", "norwaywest"), ()),
    Group("azure", "korea", "Korea", _M, ("koreacentral", "koreasouth"), ()),
    Group("azure", "southafrica", "South Africa", _M, ("southafricanorth", "southafricawest"), ("south africa",)),
    Group("azure", "uae", "United Arab Emirates", _M, ("uaenorth", "uaecentral"), ("united arab emirates",)),
)  # fmt: skip

GLOBAL_ALIASES = ("global", "any", "unassigned", "intercontinental", "worldwide", "all regions", "aws-global")

ALIASES: tuple[tuple[str, str, str, str], ...] = (
    ("aws", "usage_type_prefix", "", "us-east-1"),
    ("aws", "usage_type_prefix", "UGE1", "us-gov-east-1"),
    ("aws", "usage_type_prefix", "UGW1", "us-gov-west-1"),
    ("aws", "usage_type_prefix", "EUSC", "eusc-de-east-1"),
    ("aws", "usage_type_prefix", "SAW1", "sa-west-1"),
    ("aws", "usage_type_prefix", "MEW1", "me-west-1"),
    ("aws", "location_name", "AWS GovCloud (US)", "us-gov-west-1"),
    ("aws", "location_name", "AWS GovCloud (US-West)", "us-gov-west-1"),
    ("aws", "location_name", "AWS GovCloud (US-East)", "us-gov-east-1"),
    ("aws", "location_name", "Asia Pacific (Osaka-Local)", "ap-northeast-3"),
    ("aws", "location_name", "Asia Pacific (Osaka Local)", "ap-northeast-3"),
    ("aws", "location_name", "EU (Germany)", "eu-central-1"),
    ("aws", "location_name", "Europe (Germany)", "eu-central-1"),
    ("aws", "location_name", "EU (Milan)", "eu-south-1"),
    ("aws", "location_name", "US West (Northern California)", "us-west-1"),
    ("aws", "location_name", "US East (Northern Virginia)", "us-east-1"),
    ("aws", "location_name", "US East (Virginia)", "us-east-1"),
    ("aws", "location_name", "US West 1 (N. California)", "us-west-1"),
    ("aws", "location_name", "US West 2 (Oregon)", "us-west-2"),
    ("aws", "location_name", "US East 1 (N. Virginia)", "us-east-1"),
    ("aws", "location_name", "US East 2 (Ohio)", "us-east-2"),
    ("aws", "location_name", "South America (São Paulo)", "sa-east-1"),
    ("aws", "location_name", "Israel (Tel Aviv)", "il-central-1"),
    ("azure", "meter_region", "US North", "northcentralus"),
    ("azure", "meter_region", "US South", "southcentralus"),
    ("azure", "meter_region", "US Gov Virginia", "usgovvirginia"),
    ("azure", "meter_region", "US Gov Arizona", "usgovarizona"),
    ("azure", "meter_region", "US Gov Texas", "usgovtexas"),
    ("azure", "meter_region", "US DoD East", "usdodeast"),
    ("azure", "meter_region", "US DoD Central", "usdodcentral"),
    ("azure", "meter_region", "CN East", "chinaeast"),
    ("azure", "meter_region", "CN East 2", "chinaeast2"),
    ("azure", "meter_region", "CN North", "chinanorth"),
    ("azure", "meter_region", "CN North 2", "chinanorth2"),
    ("azure", "resource_location", "useast2euap", "eastus2euap"),
    ("azure", "resource_location", "dallas", "southcentralus"),
    ("azure", "resource_location", "ussouthcentral", "southcentralus"),
)
