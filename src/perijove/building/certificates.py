"""The certificates of managed services, when ``internal_ssl`` is on."""

import os
import pwd
from collections.abc import Callable

from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.kit.tls import SERVICES, Certificates, environment_of_pair


def make_service_certifier(
    certificates: Certificates | None,
) -> Callable[[ServiceSpec], dict[str, str]] | None:
    """What makes the key pair of a managed service; None without ``internal_ssl``."""
    if certificates is None:
        return None

    def certify(spec: ServiceSpec) -> dict[str, str]:
        # Imported here: few hubs need it, and it is slow to import.
        from perijove.kit.certificates import pair_of_service

        try:
            pair = pair_of_service(certificates, spec.name)
            if spec.user and os.geteuid() == 0:
                account = pwd.getpwnam(spec.user)
                os.chown(pair.keyfile, account.pw_uid, account.pw_gid)
        except (OSError, KeyError) as error:
            raise ConfigError(
                f"The service {spec.name!r} gets no certificate for internal_ssl: {error}"
            ) from error
        return environment_of_pair(pair, certificates.bundles[SERVICES])

    return certify
