"""Addresses in settings: what is read, and what is refused with what to do and without any of it."""

from urllib.parse import unquote

import aiormq
import pytest

from sms_common.input.addresses import amqp_url, host, http_base, mongo_url, public_base, root


@pytest.mark.parametrize(
    ("read", "given", "kept"),
    [
        (http_base, "https://sms.example.com", "https://sms.example.com"),
        (http_base, " https://sms.example.com/ \r\n", "https://sms.example.com"),
        (http_base, "\ufeffHTTPS://sms.example.com//", "https://sms.example.com"),
        (http_base, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        (http_base, "http://[::1]:8081/base/path/", "http://[::1]:8081/base/path"),
        (http_base, "http://config:8081", "http://config:8081"),
        (http_base, "http://sms_config:8081", "http://sms_config:8081"),
        (http_base, "https://m\u00fcnchen.example", "https://m\u00fcnchen.example"),
        (public_base, "https://sms.example.com:8443/sms", "https://sms.example.com:8443/sms"),
        (public_base, "http://sms.example.com", "http://sms.example.com"),
        (root, "https://sms-admin.example.com/", "https://sms-admin.example.com"),
        (amqp_url, "amqp://sms:pw@127.0.0.1:5672/ ", "amqp://sms:pw@127.0.0.1:5672/"),
        (amqp_url, "AMQPS://sms:p%2Fss@rabbit.example.com", "amqps://sms:p%2Fss@rabbit.example.com"),
        (amqp_url, "amqp://rabbit/%2Fprod?heartbeat=10", "amqp://rabbit/%2Fprod?heartbeat=10"),
        (amqp_url, "amqp://u:a:b@rabbit/v", "amqp://u:a:b@rabbit/v"),
        (amqp_url, "amqp://u:p\u00e4ss@rabbit/v", "amqp://u:p\u00e4ss@rabbit/v"),
        # Whatever the driver reads as it was meant worked before it was checked, and still has to.
        (amqp_url, 'amqp://u:a^b|c{d}e"f`g<h>i@rabbit/v', 'amqp://u:a^b|c{d}e"f`g<h>i@rabbit/v'),
        (amqp_url, "amqp://u:100%@rabbit/v", "amqp://u:100%@rabbit/v"),
        (amqp_url, "amqp://guest:guest@rabbit:5672//", "amqp://guest:guest@rabbit:5672//"),
        (amqp_url, "amqp://u:p@rabbit/a/b", "amqp://u:p@rabbit/a/b"),
        (amqp_url, "amqp://u:p@rabbit/v?name=sms@host", "amqp://u:p@rabbit/v?name=sms@host"),
        (mongo_url, 'mongodb://u:a^b|c{d}e"f`g<h>i[j]k\\l@mongo/', 'mongodb://u:a^b|c{d}e"f`g<h>i[j]k\\l@mongo/'),
        (mongo_url, "mongodb://u:p@mongo/?appName=sms@host", "mongodb://u:p@mongo/?appName=sms@host"),
        (
            mongo_url,
            "mongodb://u:pw@a:1,b:2,[::1]:3/sms?replicaSet=rs0",
            "mongodb://u:pw@a:1,b:2,[::1]:3/sms?replicaSet=rs0",
        ),
        (mongo_url, "\u200bmongodb+srv://u:pw@cluster0.example.com/db", "mongodb+srv://u:pw@cluster0.example.com/db"),
        (mongo_url, "mongodb://127.0.0.1", "mongodb://127.0.0.1"),
        (mongo_url, "mongodb://%2Ftmp%2Fmongodb-27017.sock/db", "mongodb://%2Ftmp%2Fmongodb-27017.sock/db"),
        (host, " 0.0.0.0 ", "0.0.0.0"),  # read, not bound
        (host, "[::]", "::"),
        (host, "ingress-1.local", "ingress-1.local"),
    ],
)
def test_what_can_be_used_is_kept_without_what_nobody_sees(read, given, kept):
    assert read(given) == kept


@pytest.mark.parametrize(
    ("read", "given", "told"),
    [
        (http_base, "https://https://canary", "twice"),
        (http_base, "http://https//canary", "twice"),
        (http_base, "https:/canary.example.com", "begin it with"),
        (http_base, "canary.example.com", "begin it with"),
        (http_base, "canary.example.com:8081", "begin it with"),
        (http_base, "//canary.example.com", "begin it with"),
        (http_base, "ftp://canary.example.com", "begin it with http:// or https://"),
        (http_base, "https://sms.exam ple.canary", "a blank at place"),
        (http_base, "https://sms.\u200bcanary", "U+200B"),
        (http_base, "https://<canary>", "host"),
        (http_base, "https://", "host"),
        (http_base, "https://:443", "host"),
        (http_base, "https://canary:port", "host or its port"),
        (http_base, "https://canary:0", "from 1 to 65535"),
        (http_base, "https://canary:70000", "from 1 to 65535"),
        (http_base, "https://u:p@canary", "without user and password"),
        (http_base, "https://canary?x=1", "without ? and #"),
        (http_base, "https://canary/#/tenants", "without ? and #"),
        (http_base, "https://canary/a/../b", "path"),
        (http_base, "https://canary//a", "path"),
        (http_base, "https://canary/%20", "path"),
        (http_base, "https://sms..canary", "host"),
        (http_base, "https://.canary", "host"),
        (http_base, "https://-canary.example.com", "host"),
        (http_base, "https://canary:", "host or its port"),
        (http_base, '"https://canary.example.com"', "quotes"),
        (http_base, "\u201chttps://canary.example.com\u201d", "quotes"),
        (http_base, "https://canary.example.com,https://other", "twice"),
        (public_base, "https://canary/webhooks", "leave /webhooks/... away"),
        (public_base, "https://canary/webhooks/bandwidth", "leave /webhooks/... away"),
        (public_base, "https://canary/sms/Webhooks/bandwidth/token", "leave /webhooks/... away"),
        (public_base, "https://canary:444", "ports 80, 443 and 1024 and above"),
        (root, "https://canary/admin", "root"),
        (amqp_url, "amqp://sms:can/ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:can#ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:can?ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:can@ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:c@n?ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:c?a=n@ry/ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:can\\ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "amqp://sms:can[ary@127.0.0.1:5672/", "percent-encoded"),
        (amqp_url, "'amqp://sms:canary@127.0.0.1:5672/'", "quotes"),
        (amqp_url, "http://sms:canary@127.0.0.1:5672/", "begin it with amqp:// or amqps://"),
        (amqp_url, "amqp://sms:canary@127.0.0.1:abc/", "port"),
        (amqp_url, "amqp://sms:canary@127.0.0.1:99999/", "from 1 to 65535"),
        (amqp_url, "amqp://sms:canary@/", "host"),
        (amqp_url, "amqp://sms:canary@rabbit/v?heartbeat=often", "heartbeat"),
        (amqp_url, "amqp://sms:can ary@rabbit/", "a blank"),
        (amqp_url, "amqps://sms:canary@rabbit:5671/?cafile=/x/canary", "cafile"),
        (amqp_url, "amqps://sms:canary@rabbit:5671/?certfile=/x/canary", "certfile"),
        (mongo_url, "mongodb://root:c@nary@127.0.0.1/", "percent-encoded"),
        (mongo_url, "mongodb://root:can/ary@127.0.0.1/", "percent-encoded"),
        (mongo_url, "mongodb://root:can%ary@127.0.0.1/", "percent-encoded"),
        (mongo_url, "mongo://canary/", "begin it with mongodb:// or mongodb+srv://"),
        (mongo_url, '"mongodb://canary/"', "quotes"),
        (mongo_url, "mongodb://root:canary@127.0.0.1/?tls=true&tlsCAFile=/nope/canary", "tlsCAFile"),
        (mongo_url, "mongodb://canary:27017,other:port/", "host or its port"),
        (mongo_url, "mongodb+srv://canary:27017/", "without a port"),
        (mongo_url, "mongodb+srv://canary,other/", "one name"),
        (host, "http://canary", "without http://"),
        (host, "127.0.0.1:8080", "without http:// and port"),
        (host, "can ary", "address or a name alone"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do_and_none_of_it(read, given, told):
    with pytest.raises(ValueError) as refused:  # what it says is looked at below
        read(given)

    said = str(refused.value)
    assert told in said
    assert "\n" not in said
    assert "canary" not in said
    assert "ary" not in said.replace("library", "")


def test_a_file_without_certificates_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("none")

    with pytest.raises(ValueError, match="cafile names a file that cannot be read or holds no certificate in PEM"):
        amqp_url(f"amqps://rabbit/?cafile={tmp_path / 'ca.pem'}")


@pytest.mark.parametrize(
    ("url", "vhost"), [("amqp://u:p@rabbit//", "/"), ("amqp://u:p@rabbit/a/b", "a/b"), ("amqp://u:p@rabbit/%2Fa", "/a")]
)
async def test_the_driver_reads_a_virtual_host_as_it_is_written_here(url, vhost):
    assert aiormq.Connection(amqp_url(url)).vhost == vhost


@pytest.mark.parametrize("password", ["a^b|c{d}e", "100%", "a%2Fb", 'a"b`c<d>'])
async def test_the_driver_reads_a_password_as_it_is_written_here(password):
    assert aiormq.Connection(amqp_url(f"amqp://u:{password}@rabbit/")).url.password == unquote(password)
