"""Data moved by AWS, and the boxes that move it.

One transfer is one transfer: between regions the sender's Out line is rated, and the receiver's In line is counted by
it; ``DataTransfer-Regional-Bytes`` (between zones) is billed at both ends, so each line stands for half. What comes in
from the internet is the sender's egress. Hours of gateways and load balancers do not say what hardware works: a reason.
"""

import re
from typing import Final

from offgridflow.domain.trace import Constant, TermKind
from offgridflow.methodology.aws_parts import (
    Outcome,
    Reading,
    elsewhere,
    moved,
    not_metered,
    not_physical,
    requests,
    rules,
    surcharge,
)

BOTH_ENDS: Final = Constant(0.5, "share of a transfer that is billed at both ends", TermKind.METHOD)

_SENDER: Final = elsewhere("the sender's egress")
_OUT_LINE: Final = elsewhere("the Out line of the same transfer")
_GATEWAY: Final = not_metered("gateway hours and bytes do not say what hardware works")
_BALANCER: Final = not_metered("load balancer hours and capacity units do not say what hardware works")
_BETWEEN_REGIONS: Final = moved("inter_region")
_BETWEEN_ZONES: Final = moved("inter_zone", BOTH_ENDS)
_INTERNET: Final = moved("internet_egress")
_ENDS: Final = re.compile(r"(?P<a>[A-Z]{2,4}\d{0,2})-(?:EBS-)?(?P<b>[A-Z]{2,4}\d{0,2})-(?:EBS-)?")


def _leaves_region(reading: Reading) -> bool | None:
    """Whether the two region prefixes differ; None where there are not two."""
    ends = _ENDS.match(reading.sku.sku_meter or "")
    return None if ends is None else ends["a"].upper() != ends["b"].upper()


def _regions(reading: Reading, match: re.Match[str]) -> Outcome:
    """``USE1-USW2-AWS-Out-Bytes`` leaves the region; ``USE1-USE1-`` stays in it and crosses zones."""
    if _leaves_region(reading) is False:
        return moved("inter_zone")(reading, match)
    return _BETWEEN_REGIONS(reading, match)


def _peering(reading: Reading, match: re.Match[str]) -> Outcome:
    """Peered networks: between zones each end bills its half, between regions the sender's line is the transfer."""
    if not _leaves_region(reading):
        return _BETWEEN_ZONES(reading, match)
    return _BETWEEN_REGIONS(reading, match) if match["way"].lower() == "out" else _OUT_LINE(reading, match)


TRANSFER: Final = rules(
    (r"(?:In|Out)-ABytes|-ABytes", surcharge("acceleration of a transfer that has its own line")),
    (r"AWS-In-Bytes", _OUT_LINE),
    (r"AWS-Out-Bytes", _regions),
    (r"CloudFront-In-Bytes", elsewhere("CloudFront's line for data sent to the origin")),
    (r"CloudFront-Out-Bytes", _BETWEEN_REGIONS),
    (r"Regional-Bytes|xAZ-(?:In|Out)|InterZone", _BETWEEN_ZONES),
    (r"VpcPeering-(?P<way>In|Out)", _peering),
    (r"C3DataTransfer-In|S3DataTransfer-In", _OUT_LINE),
    (r"C3DataTransfer-Out|S3DataTransfer-Out", moved("intra_zone")),
    (r"DataTransfer-In|DataXfer-In|TotalDataXfer-In", _SENDER),
    (r"DataTransfer-Out-OBytes", _BETWEEN_REGIONS),
    (r"DataTransfer-Out-Bytes|DataTransfer-Out\b|DataXfer-Out", _INTERNET),
)

CLOUDFRONT: Final = rules(
    (r"DataTransfer-Out-OBytes", _BETWEEN_REGIONS),
    (r"DataTransfer-Out-Bytes", moved("cdn")),
    (r"CloudFront-In-Bytes|DataTransfer-In", _SENDER),
    (r"Requests|Invalidations|CloudFrontFunctions|KeyValueStore|RealTimeLog|OriginShield|Field-?Level", requests),
    (r"SSL-Cert|SecurityBundle|SavingsBundle|Subscription|PricingPlan", not_physical("a certificate or plan")),
    (r"Staging|Anycast|StaticIP", not_physical("an address or setting")),
)

BOXES: Final = rules(
    (r"^NatGateway", _GATEWAY),
    (
        r"^(?:TransitGateway|TGW|VPN|VpcEndpoint|VPC-?Lattice|ClientVPN|PrivateLink|CarrierGateway)",
        _GATEWAY,
    ),
    (
        r"^(?:VPCE|NetworkFirewall|Endpoint-Hour|GatewayLoadBalancer|TrafficMirror|Reachability)",
        _GATEWAY,
    ),
    (r"PublicIPv4|ElasticIP|IPv4:|IPAddressManager|ContiguousBlock", not_physical("a public address")),
    (r"LoadBalancer-?Usage|LCUUsage|LCU|LoadBalancing|LoadBalancer-Hours|TrustStore", _BALANCER),
    (r"^DataProcessing-Bytes|^DataProcessed", _BALANCER),
    (r"^NetworkInsights|^VPCTrafficMirror|^CloudWAN|^CoreNetwork", _GATEWAY),
    (r"PortUsage|Port-Hours|HCPortUsage", _GATEWAY),
    (r"^Global-?Accelerator|Accelerator.*(?:Hour|Fixed)|^ACC", _GATEWAY),
    (
        r"OUT-Bytes-(?:Internet|AWS)|(?:IN|OUT)-Bytes-(?:Premium|Dominant)",
        surcharge("premium on a transfer"),
    ),
)
"""NAT gateways, VPNs, endpoints, load balancers, addresses."""

DIRECT_CONNECT: Final = rules(
    (r"DataXfer-Out|DataTransfer-Out|DX.*Out", moved("internet_egress")),
    (r"DataXfer-In|DataTransfer-In|DX.*In", _SENDER),
    (r"Port|Hour|LAG", _GATEWAY),
)

LIGHTSAIL: Final = rules(
    (r"Xfer-Out.*Overage|Overage", elsewhere("the line for all data that the bundle sends")),
    (r"DataXfer-Out|DataTransfer-Out", _INTERNET),
    (r"DataXfer-In|DataTransfer-In", _SENDER),
)

DNS: Final = rules(
    (r"Queries|Query", requests),
    (r"HostedZone|Domain|Renew|Transfer|Registration|DomainName", not_physical("a zone or a name")),
    (r"Health-?Check|Resolver|Firewall|Profile|ARC|Cidr", not_metered("checks and resolver endpoints")),
)
