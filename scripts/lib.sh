# shellcheck disable=SC3043  (`local` is in every sh that Debian has)
# Shared by the scripts beside it (sourced): a Python, virtual environments, Debian packages.
# Works as root, with password-less sudo, or as an ordinary user who may install nothing on the machine.

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.cache

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The first Python of at least 3.11: $PYTHON, python3, python3.14 ... python3.11.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    die "Python 3.11 or newer is needed (set PYTHON to its path)"
}

can_install() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Debian packages on the machine; quiet unless it fails.
apt_install() {
    command -v apt-get >/dev/null || die "please install: $* (this script knows apt-get only)"
    local log=$cache/apt.log
    mkdir -p "$cache"
    say "installing Debian packages: $*"
    {
        as_root apt-get -q update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
    } >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
}

# The same for a user who may not install: unpack the packages, and what they need, below DIR.
apt_unpack() {
    local dir=$1 apt_get names deb
    shift
    if [ -e "$dir/.unpacked" ] && [ "$(cat "$dir/.unpacked")" = "$*" ]; then
        return 0
    fi
    command -v apt-get >/dev/null || die "please install: $* (this script knows apt-get only)"
    say "unpacking Debian packages below $dir: $*"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/debs"
    apt_get="apt-get -q -o Dir::State::lists=$dir/apt/lists -o Dir::Cache=$dir/apt/cache -o Debug::NoLocking=1"
    (
        cd "$dir/debs"
        $apt_get update
        names=$($apt_get install -y --no-install-recommends --print-uris "$@" | sed -n "s/^'.*' \([^_]*\)_.*/\1/p")
        # shellcheck disable=SC2086
        $apt_get download $names
        for deb in *.deb; do dpkg -x "$deb" "$dir"; done
    ) >"$cache/apt.log" 2>&1 || { tail -n 20 "$cache/apt.log" >&2; return 1; }
    rm -rf "$dir/debs" "$dir/apt"
    echo "$*" >"$dir/.unpacked"
}

# A virtual environment with pip at $1. Debian keeps the part that brings pip in python3-venv.
make_venv() {
    local venv=$1 python wheel
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return 0
    python=$(find_python)
    rm -rf "$venv"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif can_install && apt_install python3-venv; then
        "$python" -m venv "$venv"
    else
        apt_unpack "$cache/debian-pip" python3-pip-whl
        "$python" -m venv --without-pip "$venv"
        wheel=$(ls "$cache"/debian-pip/usr/share/python-wheels/pip-*.whl | tail -n 1)
        PYTHONPATH=$wheel "$venv/bin/python" -m pip install -q pip
    fi
}

# pip install of a lock file and of this checkout (editable) into a virtual environment, once per lock.
install_lock() {
    local venv=$1 lock=$2 stamp sum
    stamp=$venv/.installed-$(basename "$lock" .txt)
    sum=$(cat "$lock" "$root/pyproject.toml" | cksum)
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
        return 0
    fi
    say "installing $(basename "$lock") into $venv (a minute or two the first time)"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$lock"
    # The build tools are in the lock, so that this step fetches nothing unpinned.
    "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        --no-deps --no-build-isolation -e "$root"
    echo "$sum" >"$stamp"
}
