# For other scripts, which source this from the root of the repository: what the console needs.
# shellcheck shell=bash

# Whether Node.js and npm can be used, in a version that Vite supports: 20.19 or later, but not 21, and
# not 22 before 22.12. tests/tests/console.rs has the same check.
has_node() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
            const fits = major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22;
            process.exit(fits ? 0 : 1);' >/dev/null 2>&1
}

# What to install for `has_node`, and what there is instead.
lacks_node() {
    printf '%s' "Node.js 20.19 or 22.12 or later, with npm"
    if command -v node >/dev/null 2>&1; then
        printf '%s' " (this is Node.js $(node --version 2>/dev/null || echo '?'))"
    fi
    echo
}

has_browser() {
    [ -n "${CONSOLE_CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 ||
        command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
        [ -x /usr/lib/chromium/chromium ]
}

# Whether the packages of the console are installed as its lock file says.
has_packages() {
    local folder=fastjob-coordinator/console
    [ -e "$folder/node_modules/.package-lock.json" ] &&
        ! [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ] &&
        ! [ "$folder/package.json" -nt "$folder/node_modules/.package-lock.json" ]
}

# Installs the packages of the console, unless they are. Fails with 1 if that is not possible, such as
# without a network, and with 2 if the lock file is not that of package.json.
install_packages() {
    local log status=0
    has_packages && return 0
    # `npm ci` empties the folder that a link leads to, which another checkout may use.
    if [ -L fastjob-coordinator/console/node_modules ]; then
        printf '%s\n' "fastjob-coordinator/console/node_modules is a link: replace it by a folder (rm, npm ci)" >&2
        return 1
    fi
    log=$(mktemp)
    (cd fastjob-coordinator/console && npm ci --no-audit --no-fund --loglevel=error) >"$log" 2>&1 ||
        status=1
    cat "$log" >&2
    if [ "$status" -ne 0 ] && grep -q EUSAGE "$log"; then
        status=2
    fi
    rm -f "$log"
    return "$status"
}

# Whether a machine that cannot rebuild and test the console fails.
is_browser_required() { [ "${FASTJOB_REQUIRE_BROWSER:-}" = 1 ]; }
