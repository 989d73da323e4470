"""A private slapd on loopback with a few people, for LDAPAuthenticator."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import missing, wait_for

BASE = "dc=campus,dc=example"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "reader-secret"

_CONFIGURATION = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath {modules}
moduleload back_mdb
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by self write by * none
access to * by users read by * none
"""

_ENTRIES = """\
dn: {base}
objectClass: dcObject
objectClass: organization
o: campus
dc: campus

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups

dn: {reader}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {reader_password}

dn: cn=staff,ou=groups,{base}
objectClass: groupOfNames
cn: staff
member: uid=ada,ou=people,{base}
member: cn=Brook O'Neil\\2C PhD,ou=people,{base}
"""

_PERSON = """
dn: {rdn},ou=people,{base}
objectClass: inetOrgPerson
cn: {cn}
sn: {cn}
uid: {uid}
mail: {uid}@campus.example
departmentNumber: {department}
userPassword: {uid}-secret
"""

_PEOPLE = (
    {"rdn": "uid=ada", "cn": "Ada", "uid": "ada", "department": "physics"},
    # A distinguished name that has to be escaped.
    {
        "rdn": "cn=Brook O'Neil\\2C PhD",
        "cn": "Brook O'Neil, PhD",
        "uid": "brook",
        "department": "chemistry",
    },
    {"rdn": "uid=eve", "cn": "Eve", "uid": "eve", "department": "none"},
)


def _slapd() -> tuple[str, Path, Path]:
    """Program, schemas and modules: of the machine, or unpacked below PERIJOVE_TEST_DEBIAN."""
    root = Path(os.environ.get("PERIJOVE_TEST_DEBIAN", "/"))
    program = shutil.which("slapd", path=f"{root / 'usr/sbin'}:{os.environ.get('PATH', '')}")
    if program is None:
        missing("there is no slapd (Debian package slapd)")
    return program, root / "etc/ldap/schema", root / "usr/lib/ldap"


@contextmanager
def running_directory(folder: Path, port: int) -> Iterator[str]:
    """A directory server's address; it ends with the block."""
    program, schema, modules = _slapd()
    (folder / "data").mkdir(parents=True)
    configuration = folder / "slapd.conf"
    configuration.write_text(
        _CONFIGURATION.format(schema=schema, modules=modules, folder=folder, base=BASE)
    )
    people = "".join(_PERSON.format(base=BASE, **person) for person in _PEOPLE)
    entries = _ENTRIES.format(base=BASE, reader=READER, reader_password=READER_PASSWORD)
    subprocess.run(
        # The name decides what the program does; slapadd is a link to slapd.
        ["slapadd", "-f", configuration, "-q"],
        executable=program,
        input=entries + people,
        text=True,
        check=True,
        timeout=60,
    )
    url = f"ldap://127.0.0.1:{port}"
    with (folder / "slapd.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-f", configuration, "-h", url, "-d", "0"], stdout=log, stderr=log
        )
    try:
        wait_for("slapd", lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "slapd.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
