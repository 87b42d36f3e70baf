# Sourced by recipes/quickstart.sh and Tests/run.sh: checks for Swift and installs the C libraries that are missing.
# Needs no root where the packages are there already.

# say LINE...: each on a line of its own.
say() { printf '%s\n' "$@"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

require_swift() {
    command -v swift >/dev/null 2>&1 || fail "Swift 6 was not found on the PATH. Install it from https://www.swift.org/install/linux, then run this again."
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 6 ] || fail "Swift 6 or newer is needed; 'swift --version' says: $(swift --version 2>&1 | head -n 1)"
}

# install_packages PACKAGE...: those that dpkg does not know yet, as root or through sudo.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null 2>&1 || fail "These packages are missing: ${missing[*]}. apt-get was not found; install their like with your system's package manager."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "These packages are missing: ${missing[*]}. Ask an administrator to run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The C libraries that the program is built on.
build_packages=(libncursesw5-dev libopenblas-dev libyaml-dev)
