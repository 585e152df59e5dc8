"""Who may ask for what: API keys and tokens, over the application as it is served."""

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from tests.headrace_gateway.credentials import AUDIENCE, ISSUER, Issuer, bearer, write_keys
from tests.headrace_gateway.serving import PATH, serving
from tests.headrace_gateway.test_pipes import assert_problem

from headrace.errors import SettingsError
from headrace_gateway.access import Access
from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.caller import Action, Caller, scopes_of
from headrace_gateway.jwks import Jwks
from headrace_gateway.tokens import Tokens, Trust

TRUST = Trust(ISSUER, AUDIENCE, ("ES256",))
ASYNC = {"Prefer": "respond-async"}


def by_keys(path: Path) -> Access:
    return Access(ApiKeys(path))


def by_tokens(source: str) -> Access:
    return Access(None, Tokens(Jwks(source, time.monotonic), TRUST))


def key(text: str) -> dict[str, str]:
    return {"X-API-Key": text}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({"run:a"}, {(Action.RUN, "a")}),
        ({"read:*"}, {(Action.READ, "a"), (Action.READ, "b")}),
        ({"admin:a"}, {(action, "a") for action in Action}),
        ({"admin:*"}, {(action, pipe) for action in Action for pipe in "ab"}),
        (set(), set()),
    ],
)
def test_a_scope_opens_one_action_or_all_of_one_pipe_or_all(scopes: set[str], allowed: set[tuple[Action, str]]) -> None:
    caller = Caller("ada", frozenset(scopes))
    assert {(action, pipe) for action in Action for pipe in "ab" if caller.may(action, pipe)} == allowed


@pytest.mark.parametrize("scope", ["run", "run:", "fly:a", ":a"])
def test_what_is_no_scope_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match=f"'{scope}' is no scope"):
        scopes_of([scope])


async def test_who_has_no_credentials_or_wrong_ones_is_401_on_every_path(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", ada=["admin:*"])
    run = f"/v1/runs/{'0' * 32}"
    asked = [("POST", PATH), ("POST", "/v1/pipes/x"), ("GET", run), ("DELETE", run), ("POST", f"{run}/signals/x")]
    wrong: list[dict[str, str]] = [key("ada.wrong"), key("bob.wrong"), key(""), key(keys["ada"] + "x")]
    async with serving(access=by_keys(tmp_path / "keys")) as http:
        for method, path in asked:
            for headers in ({}, bearer(keys["ada"]), *wrong):
                response = await http.request(method, path, headers=headers, json={"value": 1})
                assert_problem(response, 401, "unauthorized")
                assert response.headers["www-authenticate"].startswith('ApiKey realm="headrace"')
        assert [(await http.get(path)).status_code for path in ("/livez", "/openapi.json")] == [200, 200]


async def test_a_key_does_what_its_scopes_say_and_sees_no_run_that_it_may_not_read(tmp_path: Path) -> None:
    everything = {"run": ["run:numbers"], "read": ["read:*"], "cancel": ["cancel:numbers", "read:numbers"]}
    keys = write_keys(tmp_path / "keys", **everything, other=["admin:other"])
    async with serving(access=by_keys(tmp_path / "keys"), groups=()) as http:
        accepted = await http.post(PATH, json={"value": 1}, headers={**key(keys["run"]), **ASYNC})
        run = accepted.headers["location"]
        for name in ("run", "other"):
            assert_problem(await http.get(run, headers=key(keys[name])), 404, "unknown_run")
            assert_problem(await http.delete(run, headers=key(keys[name])), 404, "unknown_run")
        assert (await http.get(run, headers=key(keys["read"]))).status_code == 200
        refused = [
            await http.delete(run, headers=key(keys["read"])),
            await http.post(f"{run}/signals/x", headers=key(keys["cancel"]), content=b"1"),
            await http.post(PATH, json={"value": 1}, headers=key(keys["read"])),
        ]
        assert (await http.delete(run, headers=key(keys["cancel"]))).status_code == 204
    for response, scope in zip(refused, ("cancel:numbers", "signal:numbers", "run:numbers"), strict=True):
        assert_problem(response, 403, "forbidden")
        assert f'error="insufficient_scope", scope="{scope}"' in response.headers["www-authenticate"]


async def test_callers_share_no_idempotency_keys(tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", ada=["admin:*"], bob=["admin:*"])
    async with serving(access=by_keys(tmp_path / "keys")) as http:
        asked = [{**key(keys[name]), "Idempotency-Key": "1"} for name in ("ada", "bob", "ada")]
        traces = [(await http.post(PATH, json={"value": 1}, headers=each)).headers["x-trace-id"] for each in asked]
    assert traces[0] == traces[2] != traces[1]


def test_keys_are_read_again_when_their_file_changes_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = write_keys(path, ada=["run:*"])["ada"]
    keys = ApiKeys(path)
    second = write_keys(path, ada=["read:*"])["ada"]
    os.utime(path, ns=(1, 1))  # whatever the clock's grain
    assert keys.caller_of(first, 0.5) == Caller("key:ada", frozenset({"run:*"})), "it was looked at just now"
    assert keys.caller_of(first, 2.0) is None
    assert keys.caller_of(second, 2.0) == Caller("key:ada", frozenset({"read:*"}))
    path.write_text("[ada")
    assert keys.caller_of(second, 4.0) is not None
    path.unlink()
    assert keys.caller_of(second, 6.0) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[ada", "it is no TOML"),
        ('[ada]\nsha256 = ["ab"]\nscopes = []', "a hash of 'ada' is not of 64 hexadecimal digits"),
        ('[ada]\nsha256 = []\nscopes = ["fly:a"]', "'fly:a' is no scope"),
        ("[ada]\nscopes = []", "missing required field `sha256`"),
        ('["a.b"]\nsha256 = []\nscopes = []', "a name has a dot"),
    ],
)
def test_a_malformed_file_of_keys_is_refused_at_the_start(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(SettingsError, match=why):
        ApiKeys(tmp_path / "keys")


async def test_a_token_gives_a_caller_with_the_scopes_of_its_claims(tmp_path: Path) -> None:
    issuer, path = Issuer(), tmp_path / "jwks.json"
    path.write_text(issuer.key_set())
    async with serving(access=by_tokens(str(path))) as http:
        for claims in ({"scope": "openid run:numbers"}, {"scp": ["run:numbers"]}, {"scope": "admin:*"}):
            response = await http.post(PATH, json={"value": 1}, headers=bearer(issuer.token(**claims)))
            assert response.status_code == 200
        refused: list[dict[str, Any]] = [{"scope": "run:other"}, {}, {"scope": 7}]
        for claims in refused:
            response = await http.post(PATH, json={"value": 1}, headers=bearer(issuer.token(**claims)))
            assert_problem(response, 403, "forbidden")


async def test_a_token_that_is_not_to_be_trusted_is_401(tmp_path: Path) -> None:
    issuer, path, other = Issuer(), tmp_path / "jwks.json", Issuer()
    path.write_text(issuer.key_set())
    changes: list[dict[str, Any]] = [
        {"exp": 1},
        {"exp": None},
        {"iss": "https://other"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"sub": None},
        {"nbf": 2_000_000_000_000},
    ]
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    forged = [
        other.token(),
        issuer.token()[:-4],
        "x.y.z",
        "",
        jwt.encode(claims, "", algorithm="none", headers={"kid": "first"}),
        jwt.encode(claims, "s" * 64, algorithm="HS256", headers={"kid": "first"}),
    ]
    async with serving(access=by_tokens(str(path))) as http:
        for token in [*forged, *(issuer.token(**change) for change in changes)]:
            response = await http.post(PATH, json={"value": 1}, headers=bearer(token))
            assert_problem(response, 401, "unauthorized")
            assert "invalid_token" in response.headers["www-authenticate"]


async def test_the_key_set_is_fetched_once_and_again_when_a_token_names_a_new_key() -> None:
    issuer, now_s = Issuer(), [0.0]
    with issuer.published() as url:
        tokens = Tokens(Jwks(url, lambda: now_s[0]), TRUST)
        for _ in range(3):
            assert await tokens.caller_of(issuer.token()) == Caller("sub:ada", frozenset())
        assert issuer.fetched == 1
        issuer.rotate("second")
        assert await tokens.caller_of(issuer.token()) is None, "anybody may name keys: not within five seconds"
        now_s[0] = 5.0
        assert await tokens.caller_of(issuer.token()) is not None
        assert issuer.fetched == 2
        now_s[0] = 400.0
        assert await tokens.caller_of(issuer.token()) is not None
        assert issuer.fetched == 3
    now_s[0] = 1000.0
    assert await tokens.caller_of(issuer.token()) is not None, "the issuer is away: what is known stays"


async def test_tokens_that_cannot_be_checked_are_503() -> None:
    async with serving(access=by_tokens("http://127.0.0.1:1/jwks.json")) as http:
        response = await http.post(PATH, json={"value": 1}, headers=bearer(Issuer().token()))
    assert_problem(response, 503, "keys_unavailable")


async def test_no_credential_stands_in_an_answer(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys", ada=["admin:*"])
    async with serving(access=by_keys(tmp_path / "keys")) as http:
        response = await http.post(PATH, json={"value": 1}, headers=key("ada.sesame"))
    assert "sesame" not in json.dumps([response.text, dict(response.headers)])


async def asked(http: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await http.post(PATH, json={"value": 1}, headers=headers)).status_code


async def test_keys_and_tokens_are_taken_side_by_side(tmp_path: Path) -> None:
    issuer, path = Issuer(), tmp_path / "jwks.json"
    path.write_text(issuer.key_set())
    keys = write_keys(tmp_path / "keys", ada=["admin:*"])
    both = Access(ApiKeys(tmp_path / "keys"), Tokens(Jwks(str(path), time.monotonic), TRUST))
    async with serving(access=both) as http:
        assert await asked(http, key(keys["ada"])) == 200
        assert await asked(http, bearer(issuer.token(scope="run:numbers"))) == 200
        assert await asked(http, {}) == 401
