"""An authenticator for testing."""

from perijove.plugins.simple_auth import DummyAuthenticator
