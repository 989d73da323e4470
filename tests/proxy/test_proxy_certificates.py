"""Which certificate clients are shown, and new ones without a restart."""

import os
import shutil
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from proxy_kit import ScriptedServer, get, running_proxy
from proxy_tls import Authority

from perijove.proxy.certificates import Certificates
from perijove.proxy.tls import SniFiles, TlsFault, TlsFiles


def names_shown(port: int, authority: Authority, name: str | None) -> list[str]:
    """The DNS names of the certificate that a client is shown who asks for ``name``."""
    context = authority.client()
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        context.wrap_socket(raw, server_hostname=name) as connection,
    ):
        found: Any = connection.getpeercert()
        return [value for kind, value in found["subjectAltName"] if kind == "DNS"]


async def test_the_certificate_follows_the_name(
    server: ScriptedServer, authority: Authority, tmp_path: Path
) -> None:
    exact = SniFiles("One.test", *authority.pair_for(tmp_path, "one"))
    wild = SniFiles("*.two.test", *authority.pair_for(tmp_path, "two"))
    files = TlsFiles(key=authority.key, cert=authority.cert, sni=(exact, wild))
    async with running_proxy(server, tls=files) as rig:
        context = authority.client()
        context.check_hostname = False
        for asked, shown in (
            ("one.test", "one"),
            ("a.two.test", "two"),
            ("two.test", "server"),
            ("a.b.two.test", "server"),
            ("elsewhere.test", "server"),
            ("", "server"),
        ):
            client = await rig.connect(ssl=context, server_hostname=asked)
            found: Any = client.writer.get_extra_info("peercert")
            assert ("DNS", shown) in found["subjectAltName"], asked
            assert (await client.ask(get(b"/t/204"))).status == 204


def test_new_files_are_noticed_and_bad_ones_left_alone(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = authority.pair_for(tmp_path, "old")
    other_cert, other_key = authority.pair_for(tmp_path, "new")
    certificates = Certificates(TlsFiles(key=key, cert=cert), "--ssl")
    now = 100.0
    certificates.watch(now)
    assert "loaded anew" not in caplog.text
    shutil.copy(other_cert, cert)  # half a renewal: the key does not fit yet
    certificates.watch(now + 3)
    assert "Certificates stay as they are" in caplog.text
    shutil.copy(other_key, key)
    with caplog.at_level("INFO"):
        certificates.watch(now + 6)
    assert "Certificates loaded anew" in caplog.text
    caplog.clear()
    os.unlink(cert)
    certificates.watch(now + 9)
    assert "Certificates stay as they are" in caplog.text


def test_a_bad_certificate_for_a_name_is_told(authority: Authority) -> None:
    files = TlsFiles(
        key=authority.key, cert=authority.cert, sni=(SniFiles("a.test", "/nowhere", "/nowhere"),)
    )
    with pytest.raises(TlsFault, match="--ssl-sni"):
        Certificates(files, "--ssl")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("signalled", [True, False])
def test_a_running_proxy_shows_the_new_certificate(
    start: Any, authority: Authority, tmp_path: Path, workers: str, signalled: bool
) -> None:
    cert, key = authority.pair_for(tmp_path, "old")
    other_cert, other_key = authority.pair_for(tmp_path, "new")
    process = start("--ssl-cert", cert, "--ssl-key", key, "--workers", workers)
    process.wait_until_it_listens()
    assert "old" in names_shown(process.port, authority, None)
    shutil.copy(other_key, key)
    shutil.copy(other_cert, cert)
    if signalled:
        process.popen.send_signal(signal.SIGHUP)
    end = time.monotonic() + 15
    while not all("new" in names_shown(process.port, authority, "x.test") for _ in range(8)):
        assert time.monotonic() < end, "the new certificate is not shown"
        time.sleep(0.05)
    assert process.end()[0] == 2


async def test_only_tls_1_2_and_1_3_are_spoken(
    server: ScriptedServer, authority: Authority
) -> None:
    async with running_proxy(server, tls=authority.pair) as rig:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = authority.client()
            context.minimum_version = context.maximum_version = version
            client = await rig.connect(ssl=context, server_hostname="127.0.0.1")
            assert (await client.ask(get(b"/t/204"))).status == 204
