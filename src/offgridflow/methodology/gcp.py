"""Read a Google Cloud SKU: which hardware one consumed unit asks for, or why nobody can say.

The service is known by its description or its id; a SKU of an unlisted service is still read where its own name and
unit leave no doubt (cores, memory, disks, transfers).
"""

from typing import Final

from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import NotEstimatedReason
from offgridflow.domain.units import conversion_of
from offgridflow.factors.model import FactorSet
from offgridflow.methodology import gcp_compute, gcp_managed, gcp_storage
from offgridflow.methodology.gcp_text import OPERATIONS, Handler, Meter, Outcome, first_of, otherwise
from offgridflow.methodology.generic_parts import REQUESTS, refuse


def _refusing(reason: NotEstimatedReason, detail: str) -> Handler:
    outcome = refuse(reason, detail)
    return lambda _: outcome


def compute(meter: Meter) -> Outcome:
    """Rate Compute Engine: premiums first, so that no fee is taken for a core."""
    rules = (
        gcp_compute.never_rated,
        gcp_storage.disks,
        gcp_storage.appliances,
        gcp_storage.transfers,
        gcp_compute.tpu,
        gcp_compute.gpu,
        gcp_compute.shared_core,
        gcp_compute.cores_and_memory,
        gcp_managed.operations,
    )
    return first_of(meter, rules) or otherwise(meter)


def network(meter: Meter) -> Outcome:
    """Rate networking services: transfers by the byte; appliances not at all."""
    rules = (gcp_storage.appliances, gcp_storage.transfers, gcp_managed.operations)
    return first_of(meter, rules) or otherwise(meter)


def stored_or_requests(meter: Meter) -> Outcome:
    """Rate what a service keeps, by its unit; the rest is priced by request."""
    rules = (gcp_storage.at_rest, gcp_storage.transfers, gcp_managed.operations)
    return first_of(meter, rules) or refuse(NotEstimatedReason.CAPACITY_NOT_METERED, meter.name)


_FEE: Final = _refusing(NotEstimatedReason.SURCHARGE, "protection or management fee")
_SUPPORT: Final = _refusing(NotEstimatedReason.SUPPORT, "support plan")
_SEATS: Final = _refusing(NotEstimatedReason.CAPACITY_NOT_METERED, "priced by seat or subscription")
_PREMISES: Final = _refusing(NotEstimatedReason.CUSTOMER_PREMISES, "runs at the customer: its own scope 2")

_AREAS: Final[tuple[tuple[Handler, tuple[str, ...]], ...]] = (
    (compute, ("compute engine", "6f81-5844-456a", "vmware engine", "google cloud vmware engine", "cloud tpu",
               "e000-3f24-b8aa", "workstations", "cloud workstations", "batch", "bare metal solution",
               "cloud hpc toolkit", "hypercompute")),
    (gcp_storage.buckets, ("cloud storage", "95ff-2ef5-5ea1", "storage transfer service")),
    (network, ("networking", "cloud dns", "cloud cdn", "cloud load balancing", "cloud nat", "cloud vpn",
               "cloud interconnect", "network intelligence center", "cloud armor", "media cdn",
               "network connectivity", "cloud ids", "cloud ngfw", "virtual private cloud")),
    (gcp_managed.sql, ("cloud sql", "9662-b51e-5089", "alloydb", "alloydb for postgresql")),
    (gcp_managed.spanner, ("cloud spanner", "spanner")),
    (gcp_managed.cluster_database, ("cloud bigtable", "bigtable", "cloud firestore", "firestore",
                                    "cloud datastore", "firebase realtime database")),
    (gcp_managed.cache, ("cloud memorystore for redis", "memorystore for redis", "cloud memorystore",
                         "cloud memorystore for memcached", "memorystore", "memorystore for valkey",
                         "memorystore for redis cluster", "memorystore for memcached")),
    (gcp_managed.warehouse, ("bigquery", "24e6-581d-38e5", "bigquery reservation api", "bigquery storage api",
                             "bigquery bi engine")),
    (gcp_managed.kubernetes, ("kubernetes engine", "google kubernetes engine", "ccd8-9be1-090e")),
    (gcp_managed.serverless, ("cloud run", "152e-c115-5142", "app engine", "f17b-412e-cb64")),
    (gcp_managed.functions, ("cloud functions", "29e7-da93-ca13", "cloud run functions")),
    (gcp_managed.pipelines, ("cloud dataflow", "dataflow", "cloud dataproc", "dataproc", "dataproc serverless",
                             "cloud data fusion", "managed service for apache kafka", "managed apache kafka")),
    (gcp_compute.build_time, ("cloud build", "cloudbuild")),
    (gcp_managed.composer, ("cloud composer", "composer")),
    (gcp_managed.file_shares, ("cloud filestore", "filestore", "netapp volumes", "google cloud netapp volumes",
                               "managed lustre", "parallelstore")),
    (gcp_managed.learning, ("vertex ai", "cloud machine learning engine", "ai platform", "gemini api",
                            "claude", "notebooks", "generative language api", "c7e2-9256-1c43")),
    (stored_or_requests, ("artifact registry", "container registry", "cloud logging", "stackdriver logging",
                          "5490-f7b7-8df6", "cloud monitoring", "stackdriver monitoring", "cloud trace",
                          "cloud pub/sub", "cloud pub/sub lite", "pub/sub", "backup and dr service", "backup for gke",
                          "secret manager", "cloud key management service (kms)", "cloud tasks", "cloud scheduler",
                          "maps api", "places api", "translate", "cloud vision api", "cloud speech api",
                          "cloud natural language api", "cloud document ai api", "dialogflow api", "identity platform",
                          "cloud healthcare", "firebase hosting", "firebase", "eventarc", "workflows", "api gateway",
                          "apigee", "dataplex", "recaptcha enterprise", "cloud text-to-speech api", "datastream",
                          "video stitcher api", "transcoder api", "source repository",
                          "certificate authority service")),
    (_FEE, ("security command center", "fbf2-fc68-171a", "chronicle", "web risk", "assured workloads",
            "beyondcorp enterprise", "chrome enterprise premium", "access context manager")),
    (_SUPPORT, ("support", "premium support", "enhanced support", "standard support", "google cloud support",
                "professional services")),
    (_SEATS, ("google workspace", "workspace", "looker", "looker studio", "g suite", "gemini code assist",
              "gemini for google cloud", "appsheet", "duet ai")),
    (_PREMISES, ("google distributed cloud", "gdc software", "anthos", "google distributed cloud edge",
                 "google cloud distributed cloud", "transfer appliance", "gke on-prem")),
)  # fmt: skip
_HANDLERS: Final[dict[str, Handler]] = {name: handler for handler, names in _AREAS for name in names}


def _handler_of(*names: str | None) -> Handler | None:
    for name in names:
        if name is not None:
            key = name.strip().lower()
            found = _HANDLERS.get(key) or _HANDLERS.get(key.removesuffix(" api"))
            if found is not None:
                return found
            if key.startswith("claude "):
                return gcp_managed.learning  # each model is a service of its own
            if key.startswith(("google distributed cloud", "gdc ", "anthos")):
                return _PREMISES
    return None


def classify(sku: Sku, period: Month, factors: FactorSet) -> Outcome:
    """Return what one consumed unit of a Google SKU asks of the hardware, or why it is not rated. Never raises."""
    name = sku.sku_meter or sku.description or ""
    service = (sku.service_name or sku.service_code or "").strip().lower()
    meter = Meter(sku, period, factors, service, name.lower(), name, conversion_of(sku.consumed_unit))
    handler = _handler_of(sku.service_name, sku.service_code)
    if handler is not None:
        return handler(meter)
    return _by_name_alone(meter)


def _by_name_alone(meter: Meter) -> Outcome:
    """Read a SKU of an unlisted service by what its own name and unit leave no doubt about."""
    rules = (gcp_compute.never_rated, gcp_storage.disks, gcp_storage.transfers, gcp_compute.gpu)
    outcome = first_of(meter, rules)
    if outcome is None and " instance " in meter.text:
        outcome = gcp_compute.cores_and_memory(meter)
    if outcome is not None:
        return outcome
    if OPERATIONS.search(meter.text):
        return REQUESTS
    return refuse(NotEstimatedReason.UNKNOWN_SERVICE, meter.service or meter.name)
