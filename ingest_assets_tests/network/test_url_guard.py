"""Test which web addresses may be called, and that forms which hide an address are seen through."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.network.url_guard import UrlGuard, WebAddress, read_allow_list, read_url

PUBLIC = "93.184.215.14"


def giving(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


def guard(allow: str = "", *, addresses: Sequence[str] = (PUBLIC,)) -> UrlGuard:
    return UrlGuard(read_allow_list(allow), resolve=giving(*addresses))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/", "not a URL that can be used"),
        ("file:///etc/passwd", "not a URL that can be used"),
        ("gopher://example.org/", "not a URL that can be used"),
        ("//example.org/", "not a URL that can be used"),
        ("http:example.org", "not a URL that can be used"),
        ("http:///x", "not a URL that can be used"),
        ("http://example.org/a#b", "not a URL that can be used"),
        ("http://example.org\\@evil.example/", "user or a password"),
        ("http://example.org\\.evil.example/", "not a URL that can be used"),
        ("http://user@example.org/", "user or a password"),
        ("http://user:word@example.org/", "user or a password"),
        ("http://good.example:80@169.254.169.254/", "user or a password"),
        ("http://example.org/\r\nX-Other: 1", "not a URL that can be used"),
        ("http://example.org/ x", "not a URL that can be used"),
        ("http://exam ple.org/", "not a URL that can be used"),
        ("http://example.org:0/", "no port 0"),
        ("http://example.org:65536/", "no port 65536"),
        ("http://example.org:http/", "not a URL that can be used"),
        ("http://１２７.0.0.1/", "not a URL that can be used"),
        ("http://127。0。0。1/", "not a URL that can be used"),
        ("http://bücher.example/", "not a URL that can be used"),
        ("http://2130706433/", "a number as a host"),
        ("http://0177.0.0.1/", "a number as a host"),
        ("http://0x7f.0.0.1/", "a number as a host"),
        ("http://0x7f000001/", "a number as a host"),
        ("http://127.1/", "a number as a host"),
        ("http://127.0.0.01/", "a number as a host"),
        ("http://1.2.3.4.5/", "a number as a host"),
        ("http://0/", "a number as a host"),
        ("http://[::1%25eth0]/", "not a URL that can be used"),
        ("http://[1::2::3]/", "not an IPv6 address"),
        ("http://-a.example/", "not a host's name"),
        ("http://a..example/", "not a host's name"),
        ("http://" + "a" * 64 + ".example/", "not a host's name"),
        ("http://example.org/" + "a" * 2_000, "more than 2000"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        guard("*").check(url, name="INGEST_PROGRESS_URL")
    assert str(refused.value).startswith("INGEST_PROGRESS_URL: ")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1", "not public"),
        ("127.8.9.10", "not public"),
        ("10.1.2.3", "not public"),
        ("172.16.0.1", "not public"),
        ("192.168.1.1", "not public"),
        ("100.64.0.1", "not public"),
        ("198.18.0.1", "not public"),
        ("192.0.2.1", "not public"),
        ("0.0.0.0", "this host itself"),
        ("0.1.2.3", "this host itself"),
        ("169.254.169.254", "keep their metadata"),
        ("169.254.170.2", "keep their metadata"),
        ("100.100.100.200", "a cloud's metadata"),
        ("168.63.129.16", "a cloud's metadata"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved or broadcast"),
        ("::1", "not public"),
        ("::", "this host itself"),
        ("fc00::1", "not public"),
        ("fd12:3456::1", "not public"),
        ("fd00:ec2::254", "a cloud's metadata"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("::ffff:127.0.0.1", "inside an IPv6 one"),
        ("::ffff:93.184.215.14", "inside an IPv6 one"),
        ("::127.0.0.1", "inside an IPv6 one"),
        ("64:ff9b::7f00:1", "inside an IPv6 one"),
        ("2002:7f00:1::", "inside an IPv6 one"),
        ("2001:0:7f00:1::", "inside an IPv6 one"),
        ("2001:db8::1", "not public"),
    ],
)
def test_an_address_that_is_not_public_is_refused_as_itself_and_behind_a_name(address: str, says: str) -> None:
    shown = f"[{address}]" if ":" in address else address
    with pytest.raises(BadInput, match=says):
        guard().check(f"http://{shown}/x", name="callback")
    with pytest.raises(BadInput, match=says):
        guard(addresses=[address]).checked_addresses("innocent.example", 80)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(BadInput, match="not public"):
        guard(addresses=[PUBLIC, "10.0.0.1"]).checked_addresses("mixed.example", 443)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "db.localhost"])
def test_names_of_this_host_are_refused_before_they_are_looked_up(name: str) -> None:
    with pytest.raises(BadInput, match=r"add .*localhost to INGEST_URL_ALLOW"):
        guard().check(f"http://{name}/", name="callback")


def test_a_public_host_may_be_called_without_an_allow_list() -> None:
    assert guard().check("HTTPS://Example.org./a/b?c=d", name="x") == WebAddress(
        "https", "example.org", 443, "/a/b?c=d"
    )
    assert guard().checked_addresses("example.org", 443) == (PUBLIC,)


@pytest.mark.parametrize(
    ("allow", "host", "port"),
    [
        ("django", "django", 8000),
        ("django:8000", "django", 8000),
        ("*.internal.example", "a.b.internal.example", 80),
        ("10.0.0.0/8", "app.example", 80),
        ("10.0.0.7", "app.example", 80),
        ("10.0.0.7:8000", "app.example", 8000),
        ("other.example, django", "django", 80),
    ],
)
def test_a_host_of_the_allow_list_may_be_private(allow: str, host: str, port: int) -> None:
    assert guard(allow, addresses=["10.0.0.7"]).checked_addresses(host, port) == ("10.0.0.7",)


@pytest.mark.parametrize(
    ("allow", "host", "port", "address"),
    [
        ("django", "other", 80, PUBLIC),
        ("django:8000", "django", 8001, PUBLIC),
        ("*.example.org", "example.org", 80, PUBLIC),
        ("*.example.org", "badexample.org", 80, PUBLIC),
        ("*.example.org", "example.org.evil.test", 80, PUBLIC),
        ("10.0.0.0/8", "app.example", 80, "11.0.0.1"),
        ("10.0.0.7:8000", "app.example", 80, "10.0.0.7"),
        ("*", "app.example", 80, "10.0.0.7"),
    ],
)
def test_what_the_allow_list_does_not_name_is_refused(allow: str, host: str, port: int, address: str) -> None:
    with pytest.raises(BadInput, match="INGEST_URL_ALLOW"):
        guard(allow, addresses=[address]).checked_addresses(host, port)


def test_no_allow_list_opens_the_metadata_of_a_cloud() -> None:
    everything = guard("innocent.example, 0.0.0.0/0, ::/0, *", addresses=["169.254.169.254"])
    with pytest.raises(BadInput, match="metadata"):
        everything.checked_addresses("innocent.example", 80)
    with pytest.raises(BadInput, match="metadata"):
        everything.check("http://metadata.google.internal/computeMetadata/v1/", name="callback")


def test_a_star_adds_public_hosts_to_those_that_are_named() -> None:
    mixed = guard("django, *", addresses=[PUBLIC])
    assert mixed.checked_addresses("example.org", 443) == (PUBLIC,)


def test_a_host_without_an_address_can_be_tried_again() -> None:
    def away(host: str, port: int) -> Sequence[str]:
        raise OSError("Temporary failure in name resolution")

    with pytest.raises(OutsideError, match=r"gone\.example: its address cannot be found"):
        UrlGuard(resolve=away).checked_addresses("gone.example", 80)


def test_every_wrong_entry_of_the_allow_list_is_named() -> None:
    with pytest.raises(BadInput, match=r"'http://a', 'b:99999', '10\.0\.0\.1/8'") as refused:
        read_allow_list("good.example, http://a, b:99999, 10.0.0.1/8")
    assert "good.example" not in str(refused.value)


def test_a_message_shows_the_host_and_nothing_of_the_path() -> None:
    with pytest.raises(BadInput, match=r"10\.0\.0\.9:8000") as refused:
        guard().check("http://10.0.0.9:8000/hook/s3cret?token=t0ken", name="callback")
    assert "s3cret" not in str(refused.value) and "t0ken" not in str(refused.value)


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://", "http://[", "http://user@", "http://1."]))
def test_any_text_is_a_plain_url_or_refused(text: str, start: str) -> None:
    try:
        read = read_url(start + text, name="x")
    except BadInput:
        return
    assert read.host and read.host.isascii() and read.target.startswith("/") and 0 < read.port < 65536
