"""Tell from its address whether a caller is on this machine or on a network that is let in without a key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ingest_assets.errors import BadInput

Network = IPv4Network | IPv6Network
_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


def read_networks(text: str, *, name: str) -> tuple[Network, ...]:
    """Read networks or single addresses with commas between them.

    Raises:
        BadInput: one of them is none.
    """
    networks = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(entry))
        except ValueError as error:
            raise BadInput(f"{name}: {entry!r} is no network ({error}); write one such as 10.0.0.0/8") from None
    return tuple(networks)


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from."""

    address: IPv4Address | IPv6Address | None
    """None where no address is known, or where one is claimed by somebody who is not trusted to say it."""

    @property
    def is_this_machine(self) -> bool:
        """Whether the caller is on this machine."""
        return self.address is not None and self.address.is_loopback

    def is_in(self, networks: Iterable[Network]) -> bool:
        """Tell whether the caller is on one of these networks."""
        return self.address is not None and any(self.address in network for network in networks)


def peer_of(connected: str, headers: Mapping[str, str], *, trusted: Sequence[Network]) -> Peer:
    """Find the address that a request comes from.

    `connected` is the address at the other end of the connection. A trusted proxy says in X-Forwarded-For whom it
    speaks for. What anybody else says there is not believed, and then the caller's address is unknown: a proxy on this
    machine must not make all the world look like callers on this machine.
    """
    address = _address(connected)
    forwarded = headers.get("x-forwarded-for", "") or headers.get("forwarded", "")
    if not forwarded:
        return Peer(address)
    if address is None or not Peer(address).is_in(trusted):
        return Peer(None)
    for claimed in reversed(headers.get("x-forwarded-for", "").split(",")):
        address = _address(claimed.strip())
        if address is None or not Peer(address).is_in(trusted):
            return Peer(address)
    return Peer(address)


def is_local_name(host: str) -> bool:
    """Tell whether a Host header names this machine, so that no page of another site calls by a name of its own."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in _LOCAL_NAMES


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
