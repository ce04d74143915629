# For other scripts, which source this from the root of the repository: a PostgreSQL of their own.
# shellcheck shell=bash

postgres_bin=
postgres_data=

# Runs a command as the user `postgres` if this user is root: PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

# Sets `postgres_bin` to the folder of the programs. Fails if there is none.
find_postgres() {
    local bin
    for bin in "$(dirname "$(command -v initdb || echo /nowhere/initdb)")" /usr/lib/postgresql/*/bin; do
        if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then
            postgres_bin=$bin
        fi
    done
    [ -n "$postgres_bin" ]
}

# Starts an empty database `fastjob` on a port, in a folder of its own: `postgres_data`. More arguments
# are variables of the server: NAME=VALUE.
start_postgres() {
    local port=$1
    shift
    postgres_data=$(mktemp -d /tmp/fastjob-postgres.XXXXXX)
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$postgres_data"
    fi
    (
        cd /
        as_postgres "$postgres_bin/initdb" --username=fastjob --auth=trust --encoding=UTF8 \
            --pgdata="$postgres_data" >/dev/null
        as_postgres env "$@" "$postgres_bin/pg_ctl" -D "$postgres_data" -s -w -l "$postgres_data/log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" start
        as_postgres "$postgres_bin/createdb" -h 127.0.0.1 -p "$port" -U fastjob fastjob
    )
}

# Stops it, and removes its folder.
stop_postgres() {
    (cd / && as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m fast -s stop) || true
    rm -rf "$postgres_data"
}
