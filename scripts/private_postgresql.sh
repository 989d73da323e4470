#!/bin/sh
# A PostgreSQL of our own for tests: a throw-away cluster on a loopback port, never the machine's.
#
#   scripts/private_postgresql.sh start DIR [PORT]   -> prints postgresql+psycopg://perijove@127.0.0.1:PORT/postgres
#   scripts/private_postgresql.sh stop DIR           -> stops it and removes DIR
#
# PostgreSQL refuses to run as root; then the user "postgres" (made by the Debian package) runs it.
# Without PORT the first free one from 15432 is taken. fsync is off: nothing here has to survive a power cut.
set -eu

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -n 1)}
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /nowhere/initdb)")
[ -x "$bin/initdb" ] || { echo "no PostgreSQL server programs found: apt-get install postgresql" >&2; exit 1; }

as_owner() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

free_port() {
    python3 - <<'PY'
import socket
for port in range(15432, 15532):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break
PY
}

[ $# -ge 2 ] || usage
action=$1
dir=$2
case $action in
start)
    port=${3:-$(free_port)}
    mkdir -p "$dir"
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$dir"
    fi
    cd "$dir"
    if [ ! -e "$dir/data/PG_VERSION" ]; then
        as_owner "$bin/initdb" -D "$dir/data" -U perijove --auth=trust --no-sync \
            --encoding=UTF8 --locale=C.UTF-8 >"$dir.initdb.log" 2>&1 || { cat "$dir.initdb.log" >&2; exit 1; }
        rm -f "$dir.initdb.log"
    fi
    as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -s start -o \
        "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c fsync=off \
-c synchronous_commit=off -c full_page_writes=off -c max_connections=200" >&2 || { cat "$dir/log" >&2; exit 1; }
    echo "postgresql+psycopg://perijove@127.0.0.1:$port/postgres"
    ;;
stop)
    if [ -e "$dir/data/postmaster.pid" ]; then
        cd "$dir"
        as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w -t 30 -s stop >&2 || true
    fi
    cd /
    rm -rf "$dir"
    ;;
*)
    usage
    ;;
esac
