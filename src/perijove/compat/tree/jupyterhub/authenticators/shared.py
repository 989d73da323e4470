"""An authenticator with one password for all."""

from perijove.plugins.simple_auth import SharedPasswordAuthenticator
