"""Test whom an address is believed to be."""

from __future__ import annotations

import pytest

from ingest_assets.access.networks import is_local_name, peer_of, read_networks
from ingest_assets.errors import BadInput

PROXY = read_networks("10.0.0.1,fd00::/8", name="X")


@pytest.mark.parametrize(
    ("connected", "headers", "address"),
    [
        ("127.0.0.1", {}, "127.0.0.1"),
        ("::ffff:127.0.0.1", {}, "127.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "192.0.2.7"}, "192.0.2.7"),
        ("10.0.0.1", {"x-forwarded-for": "127.0.0.1, 192.0.2.7"}, "192.0.2.7"),
        ("10.0.0.1", {"x-forwarded-for": "192.0.2.7, 10.0.0.1"}, "192.0.2.7"),
    ],
)
def test_a_trusted_proxy_says_whom_it_speaks_for(connected: str, headers: dict[str, str], address: str) -> None:
    assert str(peer_of(connected, headers, trusted=PROXY).address) == address


@pytest.mark.parametrize(
    ("connected", "headers"),
    [
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}),
        ("192.0.2.9", {"x-forwarded-for": "127.0.0.1"}),
        ("10.0.0.1", {"x-forwarded-for": "nonsense"}),
        ("", {}),
    ],
)
def test_what_anybody_claims_makes_the_address_unknown(connected: str, headers: dict[str, str]) -> None:
    peer = peer_of(connected, headers, trusted=PROXY)
    assert peer.address is None
    assert not peer.is_this_machine
    assert not peer.is_in(read_networks("0.0.0.0/0", name="X"))


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:80", "[::1]:7860", "LOCALHOST"])
def test_names_of_this_machine(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize("host", ["", "rebound.example:7860", "localhost.example", "127.0.0.1.example:80"])
def test_names_that_another_site_gives_this_machine(host: str) -> None:
    assert not is_local_name(host)


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(BadInput, match=r"INGEST_OPEN_TO: '10\.0\.0\.1/8'"):
        read_networks("10.0.0.0/8, 10.0.0.1/8", name="INGEST_OPEN_TO")
