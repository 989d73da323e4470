"""Authenticators."""

from perijove.plugins.authenticator import Authenticator
from perijove.plugins.local_auth import LocalAuthenticator
from perijove.plugins.pam import PAMAuthenticator
from perijove.plugins.simple_auth import DummyAuthenticator, NullAuthenticator
