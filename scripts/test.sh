#!/bin/sh
# `make test`: install what tests need, run all of them, sum up. Exit status 0 only if every step passed.
#
#   scripts/test.sh                    everything
#   scripts/test.sh unit conformance   only these steps (after the set-up)
#   SKIP_SETUP=1 scripts/test.sh lint  without looking for anything to install
#
# Steps: lint types imports docs unit hub engines plugins conformance real
# Ports used, all on 127.0.0.1: 15432 and up (PostgreSQL), 18100-18199 (conformance), 18300-19899 (hub tests).
# Logs of the steps: .cache/test/. Everything that is started here is stopped here.
set -eu
. "$(dirname "$0")/lib.sh"

venv=$root/.venv
logs=$cache/test
peers=$cache/peers
began=$(date +%s)
all_steps="lint types imports docs unit hub engines plugins conformance real"
steps=${*:-$all_steps}
for step in $steps; do
    case " $all_steps " in
    *" $step "*) ;;
    *) die "unknown step $step; there are: $all_steps" ;;
    esac
done
wants() { case " $steps " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

mkdir -p "$logs"
scratch=$(mktemp -d)
chmod 755 "$scratch"
clean_up() {
    if [ -d "$scratch/postgresql" ]; then
        "$root/scripts/private_postgresql.sh" stop "$scratch/postgresql" || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# -- set-up ---------------------------------------------------------------------------------------
# Debian packages: PostgreSQL's server programs and Chromium, on the machine or unpacked below .cache/debian.
have_postgresql() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; }

set_up_packages() {
    missing=
    have_postgresql || missing="$missing postgresql"
    command -v chromium >/dev/null || missing="$missing chromium"
    # The Node.js that Playwright brings along needs it, and a small Debian lacks it.
    ls /usr/lib/*/libatomic.so.1 >/dev/null 2>&1 || missing="$missing libatomic1"
    # What tests/engines starts: a directory, a cluster, containers.
    if wants engines; then
        command -v slapd >/dev/null || [ -x /usr/sbin/slapd ] || missing="$missing slapd"
        command -v slurmctld >/dev/null || [ -x /usr/sbin/slurmctld ] || missing="$missing slurm-wlm munge"
        command -v podman >/dev/null || missing="$missing podman runc"
        command -v sudo >/dev/null || missing="$missing sudo"
    fi
    if [ -n "$missing" ] && can_install; then
        # shellcheck disable=SC2086
        apt_install $missing
    elif [ -n "$missing" ]; then
        debian=$cache/debian
        # shellcheck disable=SC2086
        apt_unpack "$debian" $missing
        libraries=$(find "$debian/usr/lib" "$debian/lib" -name '*.so*' -printf '%h:' 2>/dev/null | tr ':' '\n' | sort -u | tr '\n' ':')
        LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:-}
        # Without a font Chromium gives up.
        FONTCONFIG_FILE=$debian/fonts.conf
        printf '<fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>\n' \
            "$debian/usr/share/fonts" "$debian/fontcache" >"$FONTCONFIG_FILE"
        export LD_LIBRARY_PATH FONTCONFIG_FILE
        have_postgresql || PG_BIN=$(ls -d "$debian"/usr/lib/postgresql/*/bin | tail -n 1)
        command -v chromium >/dev/null || PERIJOVE_TEST_CHROMIUM=$debian/usr/lib/chromium/chromium
        PERIJOVE_TEST_DEBIAN=$debian
        export PG_BIN PERIJOVE_TEST_CHROMIUM PERIJOVE_TEST_DEBIAN
    fi
}

if [ -z "${SKIP_SETUP:-}" ]; then
    make_venv "$venv"
    install_lock "$venv" "$root/requirements/test.txt"
    if wants unit || wants hub || wants engines; then
        set_up_packages
    fi
    if wants engines; then "$root/scripts/plugins_venv.sh" >/dev/null; fi
    if wants hub || wants real; then
        for peer in 6.1.1 5.5.4 4.1.6 --clients; do
            "$root/scripts/peer_venv.sh" $peer >/dev/null
        done
    fi
    if wants unit || wants hub || wants real; then
        "$root/scripts/peer_venv.sh" --proxy >/dev/null
    fi
fi
if wants unit || wants hub; then
    PERIJOVE_TEST_POSTGRESQL=$("$root/scripts/private_postgresql.sh" start "$scratch/postgresql")
    export PERIJOVE_TEST_POSTGRESQL
fi
PATH=$venv/bin:$PATH
export PATH PERIJOVE_TEST_STRICT=1 PYTHONUNBUFFERED=1
cd "$root"
say "set-up took $(($(date +%s) - began)) s"

# -- steps ----------------------------------------------------------------------------------------
failed=0
summary=

# run NAME LIMIT_S COMMAND...: one bounded command, its output in a log, the end of it shown on failure.
run() {
    name=$1
    limit=$2
    shift 2
    from=$(date +%s)
    status=0
    timeout -k 30 -s INT "$limit" "$@" >"$logs/$name.log" 2>&1 || status=$?
    took=$(($(date +%s) - from))
    case $status in
    0) result=passed ;;
    124 | 137) result="FAILED: not done after $limit s" ;;
    *) result="FAILED: exit status $status" ;;
    esac
    if [ "$status" != 0 ]; then
        failed=1
        tail -n 60 "$logs/$name.log"
    else
        tail -n 1 "$logs/$name.log"
    fi
    line=$(printf '%-22s %4d s  %s' "$name" "$took" "$result")
    say "$line"
    summary="$summary$line
"
}

if wants lint; then
    run ruff 60 ruff check src tests docs examples scripts
    run ruff-format 60 ruff format --check src tests docs examples scripts
fi
if wants types; then run mypy 240 mypy; fi
if wants imports; then run lint-imports 60 lint-imports; fi
if wants docs; then run docs 300 scripts/docs.sh; fi
if wants unit; then run unit 900 pytest -q -n 2 -m "not slow"; fi
# A file at a time: some share a server on a fixed port among their tests.
if wants hub; then run hub 1500 pytest -q -n 2 --dist loadfile -m slow; fi
# The quick ones of the suites that plug-ins ship; scripts/plugin_suites.sh runs all.
if wants plugins; then run plugins 600 scripts/plugin_suites.sh --quick; fi
# Other people's plug-ins and the engines behind them; a file at a time, since each starts its own.
if wants engines; then run engines 900 pytest -q -n 2 --dist loadfile tests/engines; fi
if wants conformance; then run conformance 600 scripts/conformance.sh; fi
if wants real; then
    run real-perijove 120 scripts/conformance.sh --real "$venv/bin/perijove singleuser"
    for version in 6.1.1 5.5.4 4.1.6; do
        run "real-jupyterhub-$version" 120 \
            scripts/conformance.sh --real "$peers/jupyterhub-$version/bin/jupyterhub-singleuser"
    done
fi

printf '\n%s' "$summary"
printf '%-22s %4d s  %s\n' all $(($(date +%s) - began)) "$([ $failed = 0 ] && echo passed || echo FAILED)"
exit $failed
