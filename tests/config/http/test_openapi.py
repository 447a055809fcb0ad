import re

import pytest

from sms_common.version import VERSION
from sms_config.main import build_app
from sms_config.model.problems import ErrorBody
from sms_config.storage.testing import InMemoryStore
from tests.config.world import make_settings


@pytest.fixture(scope="module")
def app():
    return build_app(make_settings(), InMemoryStore(), wake=lambda: None, waiting_for=lambda: None)


@pytest.fixture
async def document(anyone):
    return (await anyone.get("/api/v1/openapi.json")).json


def references(node):
    if isinstance(node, dict):
        found = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return found + [ref for value in node.values() for ref in references(value)]
    return [ref for item in node for ref in references(item)] if isinstance(node, list) else []


@pytest.mark.loopback
class TestDocument:
    def test_it_says_what_it_is(self, document):
        assert document["openapi"] == "3.1.0"
        assert document["info"]["version"] == VERSION

    def test_every_route_of_the_application_is_in_it_and_nothing_else(self, document, app):
        served = {
            (route.resource.canonical, route.method.lower())
            for route in app.router.routes()
            if route.resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
        }
        described = {(path, method) for path, methods in document["paths"].items() for method in methods}

        assert described == served - {("/api/v1/openapi.json", "get")}
        assert len(described) > 25

    def test_every_reference_leads_somewhere(self, document):
        schemas = document["components"]["schemas"]

        assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(schemas)

    def test_operation_ids_are_unique_words(self, document):
        ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]

        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z_]+", name) for name in ids)

    def test_every_operation_tells_its_parameters_and_failures(self, document):
        for path, methods in document["paths"].items():
            for operation in methods.values():
                names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
                assert names == ({"id"} if "{id}" in path else set())
                assert {"401", "403", "429", "503"} <= set(operation["responses"])

    def test_a_patch_requires_nothing_and_has_no_defaults(self, document):
        patch = document["components"]["schemas"]["SmsWritePatch"]

        assert "required" not in patch
        assert not [name for name, schema in patch["properties"].items() if "default" in schema]
        assert "version" in patch["properties"]

    def test_secrets_go_in_and_never_come_out(self, document):
        schemas = document["components"]["schemas"]

        assert schemas["Credentials"]["properties"]["api_secret"]["anyOf"][0]["writeOnly"] is True
        assert "credentials" not in schemas["SmsView"]["properties"]

    def test_lists_can_be_filtered_by_what_is_listed(self, document):
        parameters = {p["name"]: p["schema"] for p in document["paths"]["/api/v1/sms"]["get"]["parameters"]}

        assert {"filter", "search", "orderby", "skip", "top", "enabled", "provider_id"} <= set(parameters)
        assert (parameters["top"]["maximum"], parameters["enabled"]) == (100, {"type": "boolean"})

    def test_the_error_shape_is_the_one_that_is_answered(self, document):
        assert set(document["components"]["schemas"]["Error"]["properties"]) == set(ErrorBody.model_fields)
