"""Requests to the hub, and reading what comes back."""

from urllib.parse import parse_qs

import pytest

from perijove.hubauth import client
from perijove.hubauth.client import HubFailed, HubRefused, HubReply, HubRequest, HubUnreachable


def reply(status: int, body: str = "{}") -> HubReply:
    return HubReply(status, {}, body.encode())


def test_who_somebody_is_is_asked_with_their_token() -> None:
    request = client.whoami_request("http://hub/hub/api", "tok")
    assert (request.method, request.url) == ("GET", "http://hub/hub/api/user")
    assert request.headers["Authorization"] == "token tok"


def test_403_means_nobody_and_other_faults_are_errors() -> None:
    assert client.read_whoami(reply(403)) is None
    with pytest.raises(HubFailed):
        client.read_whoami(reply(503))
    with pytest.raises(HubRefused):
        client.read_whoami(reply(404))


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"name": ""}', '{"name": 3}', ""])
def test_an_answer_without_a_name_is_never_a_user(body: str) -> None:
    with pytest.raises(HubFailed):
        client.read_whoami(reply(200, body))


def test_the_status_for_a_waiting_visitor_follows_the_protocol() -> None:
    assert HubUnreachable("x").visitor_status == 500
    assert HubFailed("x").visitor_status == 502
    assert HubRefused("x").visitor_status == 500


def test_a_code_is_exchanged_with_the_own_token_as_secret() -> None:
    request = client.token_request(
        "http://hub/hub/api/oauth2/token",
        client_id="id",
        client_secret="own",
        code="c",
        redirect_uri="/cb",
        code_verifier="v",
    )
    assert request.body is not None
    assert parse_qs(request.body.decode()) == {
        "client_id": ["id"],
        "client_secret": ["own"],
        "grant_type": ["authorization_code"],
        "code": ["c"],
        "redirect_uri": ["/cb"],
        "code_verifier": ["v"],
    }
    assert request.headers["Authorization"] == "token own"


def test_the_hubs_reason_for_a_refusal_is_passed_on() -> None:
    with pytest.raises(HubRefused, match="Code verifier required"):
        client.read_token(
            reply(400, '{"error": "x", "error_description": "Code verifier required."}')
        )
    with pytest.raises(HubRefused, match="invalid_grant"):
        client.read_token(reply(400, '{"error": "invalid_grant"}'))
    with pytest.raises(HubRefused, match="own token"):
        client.read_token(reply(403, '{"message": "no"}'))


def test_requests_and_replies_do_not_show_secrets_in_repr() -> None:
    request = client.whoami_request("http://hub", "sesame")
    answer = HubReply(200, {}, b"sesame")
    assert "sesame" not in repr(request)
    assert "sesame" not in repr(answer)


def test_no_answer_is_one_error_with_the_address() -> None:
    with pytest.raises(HubUnreachable, match="127\\.0\\.0\\.1:18379"):
        client.fetch_blocking(HubRequest("GET", "http://127.0.0.1:18379/hub/api"))
