"""API tokens of users."""

from perijove.wire.calls.call import Call, Reply, asks, nothing, one
from perijove.wire.models import NewToken, Token, TokenList
from perijove.wire.requests import TokenRequest

_read_list = one(TokenList)


def _tokens(reply: Reply) -> list[Token]:
    return _read_list(reply).api_tokens


class TokenCalls:
    """Tokens of users."""

    @asks("GET /users/{name}/tokens")
    def tokens(self, name: str) -> Call[list[Token]]:
        """All tokens of a user, those of OAuth clients included."""
        return Call(_tokens, names={"name": name})

    @asks("POST /users/{name}/tokens")
    def create_token(self, name: str, fields: TokenRequest | None = None) -> Call[NewToken]:
        """A new token. Its secret is the answer's ``token``, and is never shown again."""
        return Call(one(NewToken), names={"name": name}, body=fields)

    @asks("GET /users/{name}/tokens/{token_id}")
    def token(self, name: str, token_id: str) -> Call[Token]:
        """One token, without its secret."""
        return Call(one(Token), names={"name": name, "token_id": token_id})

    @asks("DELETE /users/{name}/tokens/{token_id}")
    def revoke_token(self, name: str, token_id: str) -> Call[None]:
        """End a token; one of an OAuth client takes that client's others along."""
        return Call(nothing, names={"name": name, "token_id": token_id})
