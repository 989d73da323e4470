"""How a service or a server asks the hub who somebody is."""

from perijove.hubauth.configurable import HubAuth
from perijove.hubauth.handlers import (
    HubAuthenticated,
    HubOAuthCallbackHandler,
    HubOAuthenticated,
    UserNotAllowed,
)
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.hubauth.scopes import check_scopes
