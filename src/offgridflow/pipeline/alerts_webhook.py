"""Alerts to a webhook: signed, to a public address only (or a network that the settings name), never redirected.

The name is resolved once, every address is checked, and the connection goes to a checked address: a name that resolves
to something else a moment later reaches nothing.
"""

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from offgridflow.domain.errors import UsageError

SIGNATURE_HEADER: Final = "X-OffGridFlow-Signature"
_TIMEOUT_SECONDS: Final = 10.0
_PORTS: Final = {"https": 443, "http": 80}
_OK: Final = range(200, 300)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> Iterable[str]:
    """Return the addresses of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts go. ``networks`` are those that may be reached although they are not public."""

    url: str
    secret: bytes
    networks: tuple[Network, ...] = ()
    resolve: Resolve = resolve

    def send(self, alert_id: str, body: str, at: datetime) -> str | None:
        """Post one alert; return None where it was taken (2xx), else why not. Raises UsageError for a refused address.

        What is returned holds neither the address nor the secret.
        """
        parts = _parsed(self.url)
        content = body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "offgridflow",
            "Idempotency-Key": alert_id,
            SIGNATURE_HEADER: signature(self.secret, content, at),
        }
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection = _connection(parts, self._address_of(parts))
            try:
                connection.request("POST", target, content, headers)
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            return ": ".join(part for part in (type(error).__name__, getattr(error, "strerror", None)) if part)
        return None if status in _OK else f"status {status}"

    def _address_of(self, parts: SplitResult) -> str:
        host, port = str(parts.hostname), _port_of(parts)
        addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in self.resolve(host, port)]
        if not addresses or not all(is_allowed(each, self.networks) for each in addresses):
            sentence = f"The webhook's host {host} has an address that is not public."
            raise UsageError(sentence, action="Name its network in alerts.webhook_networks if that is meant.")
        if parts.scheme == "http" and not all(_lies_in(each, self.networks) for each in addresses):
            sentence = "A webhook over http:// would be read by everybody on the way."
            raise UsageError(sentence, action="Use https://, or name its private network in alerts.webhook_networks.")
        return str(addresses[0])


def networks_of(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks; UsageError names the one that is none."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        sentence = f"alerts.webhook_networks: {error}."
        raise UsageError(sentence, action='Write for example ["10.1.0.0/16"].') from error


def signature(secret: bytes, content: bytes, at: datetime) -> str:
    """Return ``t=SECONDS,v1=HEX``: HMAC-SHA256 over ``SECONDS.CONTENT``, so that an old one cannot be sent again."""
    seconds = str(int(at.timestamp()))
    return f"t={seconds},v1={hmac.new(secret, seconds.encode() + b'.' + content, hashlib.sha256).hexdigest()}"


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address may be reached: public, or in a network that the settings name.

    An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64, Teredo) counts as itself.
    """
    inner = _inner(address)
    if inner is not None:
        return is_allowed(inner, networks)
    return _lies_in(address, networks) or (address.is_global and not address.is_multicast)


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def _inner(address: Address) -> Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _lies_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _parsed(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        sentence = "alerts.webhook_url is not an https:// address without a user name."
        raise UsageError(sentence, action="Write for example https://hooks.example.com/offgridflow.")
    return parts


def _port_of(parts: SplitResult) -> int:
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        sentence = "alerts.webhook_url has a port that is none."
        raise UsageError(sentence, action="Write for example https://hooks.example.com:8443/offgridflow.") from error


def _connection(parts: SplitResult, address: str) -> http.client.HTTPConnection:
    host, port = str(parts.hostname), _port_of(parts)
    if parts.scheme == "http":
        return _Pinned(host, port, address)
    return _PinnedTls(host, port, address)


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked, under the host's own name."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=_TIMEOUT_SECONDS)
        self._address = address

    def connect(self) -> None:
        """Connect to the checked address, not to whatever the name gives now."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _PinnedTls(_Pinned):
    """The same over TLS; the certificate must be the host name's."""

    def connect(self) -> None:
        """Connect, then hold the certificate against the name."""
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
