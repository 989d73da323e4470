"""The TLS context with which programs call a hub that has ``internal_ssl``."""

import ssl


def make_caller_context(keyfile: str, certfile: str, client_ca: str) -> ssl.SSLContext | None:
    """The context for requests to a hub with ``internal_ssl``; None without any file.

    The arguments are the paths in JUPYTERHUB_SSL_KEYFILE, _CERTFILE and _CLIENT_CA.
    Raises OSError when a file cannot be read.
    """
    if not (certfile or client_ca):
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=client_ca or None)
    if client_ca:
        # The private authority signs the hub alone, whose host name differs
        # between networks: being signed by it is the proof, not the name.
        context.check_hostname = False
    if certfile:
        context.load_cert_chain(certfile, keyfile or None)
    return context
