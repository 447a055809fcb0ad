"""Whom a request comes from: the rightmost address that no trusted proxy stands behind."""

from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from sms_common.http.proxies import PeerAddress, TrustedProxies, read_networks, says_https

OURS = TrustedProxies(read_networks("10.0.0.0/8, 192.0.2.7\n2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9, 192.0.2.7 ,10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8:9::1]:51234"], "2001:db8:9::1"),
        ("10.0.0.1", ['"[2001:db8:9::1]"'], "2001:db8:9::1"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8:1::5", ["2001:db8:9::1"], "2001:db8:9::1"),
        ("10.0.0.1", ["<script>, 203.0.113.9"], "203.0.113.9"),
    ],
)
def test_a_listed_proxy_is_believed_as_far_as_the_hops_are_listed(peer, forwarded, client):
    headers = CIMultiDict([("x-forwarded-for", line) for line in forwarded])

    assert OURS.client(peer, headers) == PeerAddress(client)


@pytest.mark.parametrize("proxies", [OURS, TrustedProxies()])
@pytest.mark.parametrize("peer", ["203.0.113.200", "127.0.0.1", "2001:db8:2::1"])
def test_who_is_not_listed_speaks_for_himself(proxies, peer):
    found = proxies.client(peer, CIMultiDict({"X-Forwarded-For": "198.51.100.1, 10.0.0.1"}))

    assert found == PeerAddress(peer, claimed="10.0.0.1")


def test_a_connection_without_an_address_is_nobodys():
    assert OURS.client(None, CIMultiDict({"X-Forwarded-For": "198.51.100.1"})).address is None


@pytest.mark.parametrize(
    ("address", "origin"),
    [("203.0.113.9", "203.0.113.9"), ("2001:db8:9:8::1", "2001:db8:9:8::/64"), (None, "")],
)
def test_who_has_one_ipv6_address_of_a_network_has_them_all(address, origin):
    assert PeerAddress(address).origin == origin


@pytest.mark.parametrize(
    ("given", "https"),
    [
        ([], False),
        (["http"], False),
        (["https"], True),
        (["https, http"], True),
        (["http, HTTPS"], True),
        (["http", "https"], True),
        (["httpsx"], False),
    ],
)
def test_tls_at_any_of_several_proxies_counts(given, https):
    assert says_https(CIMultiDict([("X-Forwarded-Proto", line) for line in given])) is https


def test_networks_are_read_however_they_are_separated():
    wanted = tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "::1/128")))

    assert read_networks(" 10.1.2.3/8;192.0.2.7\r\n ::1 ") == wanted
    assert read_networks("10.0.0.0/8 192.0.2.7 ::1") == wanted
    assert read_networks("") == ()
