"""What the MongoDB driver says of an address at the start: it ends the process only where it would go on otherwise."""

import pytest

from sms_common.mongo.address import check_address


@pytest.mark.parametrize("options", ["compressors=snappy,zstd,zlib", "nameOfANewerDriver=1", "retryReads=true"])
def test_what_changes_nothing_is_no_reason_not_to_start(options):
    check_address(f"mongodb://127.0.0.1/?replicaSet=rs0&{options}")


@pytest.mark.parametrize("options", ["retryReads=canary", "tls=canary", "maxIdleTimeMS=canary"])
def test_an_option_that_would_be_passed_over_is_named(options):
    with pytest.raises(ValueError, match=f"look at its option {options.partition('=')[0]}") as refused:
        check_address(f"mongodb://127.0.0.1/?replicaSet=rs0&{options}")
    assert "canary" not in str(refused.value)
