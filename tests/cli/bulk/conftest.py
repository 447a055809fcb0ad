import pytest

from tests.cli.bulk.files import Api


@pytest.fixture
def api(config_url: str) -> Api:
    return Api(config_url)
