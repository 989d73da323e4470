#!/bin/sh
# The conformance suite against Perijove, held to the ratchet (tests/conformance/ratchet.json).
#
#   scripts/conformance.sh                                    all areas but the real server
#   scripts/conformance.sh --real "perijove singleuser"       the real-server area with that command
#   HUB_CMD=... scripts/conformance.sh --no-ratchet [pytest arguments]   any hub, no comparison
#
# Uses .venv if it exists, so `make test` needs no second environment; reports go to .cache/conformance/. With it,
# everything that the hubs' REST API answers is held against the OpenAPI document as well.
set -eu
. "$(dirname "$0")/lib.sh"

reports=$cache/conformance
mkdir -p "$reports"
if [ -x "$root/.venv/bin/perijove" ]; then
    PATH=$root/.venv/bin:$PATH
    export PATH
fi
if [ -z "${CONF_VENV:-}" ]; then
    CONF_VENV=$cache/conformance-venv
    make_venv "$CONF_VENV"
fi
export CONF_VENV

if [ "${1:-}" = --no-ratchet ]; then
    shift
    exec "$root/tests/conformance/run.sh" "$@"
fi

name=suite
if [ "${1:-}" = --real ]; then
    PEER_SINGLEUSER=$2
    export PEER_SINGLEUSER
    shift 2
    name=real-$(basename "$(dirname "$(dirname "${PEER_SINGLEUSER%% *}")")")-$(basename "${PEER_SINGLEUSER%% *}")
    set -- -m realserver "$@"
fi
report=$reports/$name.json
rm -f "$report"
exchanges=
if [ -z "${HUB_CMD:-}" ] && [ -x "$root/.venv/bin/perijove" ]; then
    exchanges=$reports/$name-exchanges
    rm -rf "$exchanges"
    mkdir "$exchanges"
    PERIJOVE_TEST_EXCHANGES=$exchanges
    HUB_CMD="'$root/.venv/bin/python' '$root/tests/recorded_hub.py'"
    export PERIJOVE_TEST_EXCHANGES HUB_CMD
fi
status=0
"$root/tests/conformance/run.sh" "$@" --report "$report" || status=$?
# 1 means that some cases failed, which is the ratchet's business; anything else is an error.
[ "$status" -le 1 ] || exit "$status"
status=0
python3 "$root/scripts/check_ratchet.py" "$report" || status=$?
if [ -n "$exchanges" ]; then
    "$root/.venv/bin/python" "$root/tests/check_exchanges.py" "$exchanges" || status=$?
fi
exit "$status"
