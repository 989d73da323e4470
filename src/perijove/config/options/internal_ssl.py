"""TLS between the parts of one installation."""

from traitlets import Bool, Dict, HasTraits, List, Unicode


class InternalSSLOptions(HasTraits):
    """Mutual TLS between hub, proxy, servers and services."""

    internal_ssl = Bool(
        False,
        help="""Encrypt and authenticate what hub, proxy, servers and services say to one
        another, with certificates of a private authority.
        """,
    ).tag(config=True)

    internal_certs_location = Unicode(
        "internal-ssl",
        help="""The directory of the certificates for `internal_ssl`.""",
    ).tag(config=True)

    recreate_internal_certs = Bool(
        False,
        help="""Make new certificates for `internal_ssl` at each start.""",
    ).tag(config=True)

    external_ssl_authorities = Dict(
        help="""Authorities from elsewhere for `internal_ssl`.

        A dictionary from an authority's name to a dictionary of files: `key`, `cert`, `ca`.
        """,
    ).tag(config=True)

    trusted_alt_names = List(
        Unicode(),
        help="""Further names in the certificates for `internal_ssl`, as `DNS:name` or
        `IP:address`.
        """,
    ).tag(config=True)

    # What plug-ins read, once the certificates are there.
    internal_ssl_key = Unicode()
    internal_ssl_cert = Unicode()
    internal_ssl_ca = Unicode()
    internal_proxy_certs = Dict()
    internal_trust_bundles = Dict()
