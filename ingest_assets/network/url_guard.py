"""Check every web address that a setting or a request names, before a connection is made to it.

A service that calls any address it is given can be misused to reach what only this host can reach: the cloud's
metadata, a database on the private network (OWASP, "Server Side Request Forgery"). Three rules follow from the known
ways around such a check. One strict pattern reads a URL, because two readers that disagree about its host are a hole
(Orange Tsai, "A New Era of SSRF", 2017). A host is judged by the addresses that it resolves to, each time a connection
is made, and the connection goes to an address that was judged: a name that resolves to another address a moment later
gains nothing. Addresses that carry another one inside (IPv4 in IPv6) are refused.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ingest_assets.errors import BadInput, OutsideError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host and port, as texts; raises OSError where there are none."""

ALLOW_SETTING = "INGEST_URL_ALLOW"
ANY_PUBLIC_HOST = "*"
_MAX_URL = 2_000
"""Characters. Proxies and servers begin to refuse longer ones."""
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][a-z0-9._~!$&'()*+,;=:@/?%\[\]-]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE | re.ASCII)
_PORTS = {"http": 80, "https": 443}

_NEVER: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this host itself"),
        ("::/128", "this host itself"),
        ("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("100.100.100.200/32", "a cloud's metadata"),
        ("168.63.129.16/32", "a cloud's metadata"),
        ("192.0.0.192/32", "a cloud's metadata"),
        ("fd00:ec2::/32", "a cloud's metadata"),
        ("fd20:ce::254/128", "a cloud's metadata"),
        ("224.0.0.0/4", "a multicast address"),
        ("ff00::/8", "a multicast address"),
        ("240.0.0.0/4", "a reserved or broadcast address"),
        ("::ffff:0:0/96", "an IPv4 address inside an IPv6 one"),
        ("::/96", "an IPv4 address inside an IPv6 one"),
        ("64:ff9b::/96", "an IPv4 address inside an IPv6 one"),
        ("64:ff9b:1::/48", "an IPv4 address inside an IPv6 one"),
        ("2002::/16", "an IPv4 address inside an IPv6 one"),
        ("2001::/32", "an IPv4 address inside an IPv6 one"),
    )
)
"""Addresses that no allow-list opens. fd00:ec2::/32 and the single addresses are the metadata services of AWS, Google
Cloud, Alibaba Cloud, Azure and Oracle Cloud, which lie outside of the link-local ranges."""
_LOOPBACK_V6 = IPv6Address("::1")
_METADATA_NAMES = ("metadata.google.internal", "metadata.goog", "instance-data.ec2.internal")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL, taken apart. `target` is what a request asks the host for, and may hold secrets."""

    scheme: str
    host: str
    """In lower case, without brackets and without a dot at its end."""
    port: int
    target: str

    @property
    def place(self) -> str:
        """Host and port, as messages name the address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of the allow-list: a name, `*.` and a name, a network of addresses, or `*`."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None
    """None stands for every port."""

    def names(self, host: str, port: int) -> bool:
        """Tell whether the entry names this host, whatever address that has."""
        if self.port not in {None, port} or not self.name or self.name == ANY_PUBLIC_HOST:
            return False
        if self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return host == self.name

    def holds(self, address: Address, port: int) -> bool:
        """Tell whether the address lies in the entry's network."""
        return self.port in {None, port} and self.network is not None and address in self.network


def read_url(url: str, *, name: str) -> WebAddress:
    """Take a URL apart; `name` says in messages where it comes from, such as the setting.

    Raises:
        BadInput: it is no plain http(s) URL: another scheme, a user or password, a fragment, an odd host.
    """
    if len(url) > _MAX_URL:
        raise BadInput(f"{name}: the URL has {len(url)} letters, more than {_MAX_URL}; shorten it")
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    if "@" in authority:
        raise BadInput(f"{name}: the URL holds a user or a password; put a secret path or the signature in its place")
    found = _URL.fullmatch(url)
    if found is None:
        raise BadInput(f"{name}: not a URL that can be used; write http(s)://HOST[:PORT]/PATH in ASCII, no fragment")
    scheme, host = found["scheme"].lower(), found["host"].lower().removeprefix("[").removesuffix("]")
    host = host.removesuffix(".") if ":" not in host else host
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise BadInput(f"{name}: {host}: there is no port {port}; ports are 1 to 65535")
    if reason := _odd_host(host):
        raise BadInput(f"{name}: {host}: {reason}")
    target = found["target"] or "/"
    return WebAddress(scheme, host, port, target if target.startswith("/") else f"/{target}")


def read_allow_list(text: str) -> tuple[AllowedHost, ...]:
    """Read the allow-list: entries with commas or blanks between them.

    An entry is HOST, HOST:PORT, *.DOMAIN, an address, a network as 10.0.0.0/8, or * for every public host.

    Raises:
        BadInput: naming every entry that is none of these.
    """
    entries, wrong = [], []
    for entry in re.split(r"[,\s]+", text.strip()):
        if not entry:
            continue
        if (read := _allowed(entry.lower())) is None:
            wrong.append(entry)
        else:
            entries.append(read)
    if wrong:
        raise BadInput(
            f"{ALLOW_SETTING}: {', '.join(map(repr, wrong))}: neither HOST, HOST:PORT, *.DOMAIN, an address, a network "
            "such as 10.0.0.0/8, nor *"
        )
    return tuple(entries)


def addresses_of(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host.

    Raises:
        OSError: there are none, or the name service is away.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class UrlGuard:
    """Says which hosts may be called.

    With an empty allow-list every host with public addresses may be. With entries only those may be, and they may have
    private addresses; the entry `*` adds every public host.
    """

    def __init__(self, allow: Sequence[AllowedHost] = (), *, resolve: Resolve = addresses_of) -> None:
        """Take the allow-list, and what gives a host's addresses."""
        self._allow = tuple(allow)
        self._resolve = resolve

    def check(self, url: str, *, name: str) -> WebAddress:
        """Check what can be seen of a URL without asking for its host's addresses.

        Raises:
            BadInput: it is no plain http(s) URL, or its host may not be called.
        """
        address = read_url(url, name=name)
        if reason := self._reason_of_name(address.host, address.port):
            raise BadInput(f"{name}: {address.place}: {reason}")
        return address

    def checked_addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses that a connection to the host may go to, each of them judged.

        Raises:
            BadInput: the host may not be called; one address that may not be is enough.
            OutsideError: the host has no address now.
        """
        if reason := self._reason_of_name(host, port):
            raise BadInput(f"{host}: {reason}")
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise OutsideError(f"{host}: its address cannot be found ({error}); is the name right?") from error
        for text in found:
            if reason := self._reason(_parsed(text), host=host, port=port):
                raise BadInput(f"{host}: {reason}")
        if not found:
            raise OutsideError(f"{host}: it has no address; is the name right?")
        return found

    def _reason_of_name(self, host: str, port: int) -> str:
        """Say why a host may not be called, where its name alone tells it; a host written as an address is one."""
        if (literal := _literal(host)) is not None:
            return self._reason(literal, host=host, port=port)
        if host in _METADATA_NAMES:
            return "this is a cloud's metadata, which is never called"
        if any(entry.names(host, port) for entry in self._allow):
            return ""
        if host == "localhost" or host.endswith(".localhost"):
            return self._reason(_LOOPBACK_V6, host=host, port=port)
        only_names = self._allow and not any(each.network or each.name == ANY_PUBLIC_HOST for each in self._allow)
        return f"it is not in {ALLOW_SETTING}; add it there if it may be called" if only_names else ""

    def _reason(self, address: Address, *, host: str, port: int) -> str:
        """Say why an address may not be called; an empty text says that it may."""
        for network, what in _NEVER:
            if address in network and address != _LOOPBACK_V6:
                return f"its address {address} is {what}, which is never called"
        if any(entry.names(host, port) or entry.holds(address, port) for entry in self._allow):
            return ""
        if not _is_public(address):
            return f"its address {address} is not public; add {host} to {ALLOW_SETTING} if it may be called"
        if self._allow and not any(entry.name == ANY_PUBLIC_HOST for entry in self._allow):
            return f"it is not in {ALLOW_SETTING}; add it there if it may be called"
        return ""


def _is_public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_private)


def _odd_host(host: str) -> str:
    """Say what is wrong with a host's name; systems read 0177.1, 2130706433 and 0x7f.1 as addresses."""
    if ":" in host:
        try:
            IPv6Address(host)
        except ValueError:
            return "not an IPv6 address"
        return ""
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "not a host's name"
    if _NUMBER.fullmatch(labels[-1]) and _literal(host) is None:
        return "a number as a host; write an address as four numbers from 0 to 255, without zeros before them"
    return ""


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _parsed(text: str) -> Address:
    return ip_address(text.partition("%")[0])


def _allowed(entry: str) -> AllowedHost | None:
    if entry == ANY_PUBLIC_HOST:
        return AllowedHost(name=entry)
    if "/" in entry:
        return _network(entry, port=None)
    bracketed = re.fullmatch(r"\[([0-9a-f:.]+)\](?::([0-9]{1,5}))?", entry)
    plain = re.fullmatch(r"((?:\*\.)?[a-z0-9._-]+)(?::([0-9]{1,5}))?", entry)
    if bracketed is None and (plain is None or _literal(entry) is not None):
        return _network(entry, port=None)
    host, port = next(found.groups() for found in (bracketed, plain) if found)
    number = int(port) if port else None
    if number is not None and not 0 < number < 65536:
        return None
    if _literal(host) is not None:
        return _network(host, port=number)
    if _odd_host(host.removeprefix("*.")):
        return None
    return AllowedHost(name=host, port=number)


def _network(entry: str, *, port: int | None) -> AllowedHost | None:
    try:
        return AllowedHost(network=ip_network(entry), port=port)
    except ValueError:
        return None
