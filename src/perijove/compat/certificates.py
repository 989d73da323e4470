"""The certificates for ``internal_ssl``: made when it is on, and shown to plug-ins.

Plug-ins find them in the application object, under the names that it has for them;
suites of plug-ins make them without a hub.
"""

from dataclasses import asdict

from perijove.config.hub import JupyterHub
from perijove.domain.errors import ConfigError
from perijove.domain.settings import InternalTlsSettings
from perijove.kit.tls import HUB, Certificates


def open_certificates(settings: InternalTlsSettings | None) -> Certificates | None:
    """Those in the settings' directory; what is missing is made. Raises ConfigError."""
    if settings is None:
        return None
    # Imported here: few hubs need it, and it is slow to import.
    from perijove.kit.certificates import make_certificates

    try:
        return make_certificates(
            settings.location,
            alt_names=settings.alt_names,
            outside=settings.authorities,
            anew=settings.recreate,
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"c.JupyterHub.internal_ssl: the certificates in {settings.location} cannot be made "
            f"or read: {error}"
        ) from error


def show_certificates(app: JupyterHub, certificates: Certificates) -> None:
    """Put them where plug-ins look for them in the application."""
    app.internal_trust_bundles = dict(certificates.bundles)
    app.internal_ssl_key = certificates.hub.keyfile
    app.internal_ssl_cert = certificates.hub.certfile
    app.internal_ssl_ca = certificates.bundles[HUB]
    app.internal_proxy_certs = {
        "proxy-api": asdict(certificates.proxy_api),
        "proxy-client": asdict(certificates.proxy_client),
    }
