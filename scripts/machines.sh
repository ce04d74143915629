# For scripts/try-operations, which sources this: its machines. They are containers with systemd on one base, and
# share one network, without a way out, in which each has an address, a name and a certificate.
# It sets base, old, new and worker before.
# shellcheck shell=bash disable=SC2154

folder=$(mktemp -d)
network=fastjob-operations-$$
machines=(node-1 node-2 node-3 db solo)
declare -A manager=() leader=()
# The hierarchies of groups in which each container needs a group of its own, because the systemd in it takes that
# group for the whole machine: the second version, and that of systemd in the first.
hierarchies=("$folder/groups")
[ ! -d /sys/fs/cgroup/systemd ] || hierarchies+=(/sys/fs/cgroup/systemd)
# A process on this machine that has to end before them.
prometheus=

clean_up() {
    local machine hierarchy
    [ -z "$prometheus" ] || kill "$prometheus" 2>/dev/null || true
    for machine in "${!leader[@]}"; do
        # The first process of the container: systemd shuts it down.
        kill -s RTMIN+4 "${leader[$machine]}" 2>/dev/null || true
    done
    [ -z "$prometheus" ] || wait "$prometheus" 2>/dev/null || true
    for machine in "${!manager[@]}"; do
        wait "${manager[$machine]}" 2>/dev/null || true
    done
    for machine in "${machines[@]}"; do
        umount "$folder/$machine/root" 2>/dev/null || true
        for hierarchy in "${hierarchies[@]}"; do
            find "$hierarchy/$network-$machine" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
    done
    umount "$folder/groups" 2>/dev/null || true
    ip netns delete "$network" 2>/dev/null || true
    rm -rf --one-file-system "$folder"
}
trap clean_up EXIT

# within MACHINE COMMAND…, and the same for a script of a shell.
within() {
    local machine=$1
    shift
    nsenter --target "${leader[$machine]}" --mount --uts --ipc --net --pid --root --wd env -i \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"
}
run() { within "$1" bash -euc "cd /root; $2"; }
# The URL of a machine's coordinator.
address() { case $1 in solo) echo https://jobs.example.org:7070 ;; *) echo "https://$1.example.org:7070" ;; esac; }

create_network() {
    local machine name number=0
    ip netns add "$network"
    ip -n "$network" link set lo up
    ip -n "$network" link add lan type bridge
    ip -n "$network" link set lan up
    printf '127.0.0.1 localhost\n' >"$folder/hosts"
    number=0
    for machine in "${machines[@]}"; do
        number=$((number + 1))
        ip -n "$network" address add 10.77.0.$number/24 dev lan
        name=$(address "$machine") name=${name#https://} name=${name%:7070}
        printf '10.77.0.%s %s\n' $number "$name" >>"$folder/hosts"
    done
}

# An authority, and a certificate of it for each machine, as docs/security.md creates them.
create_certificates() (
    cd "$folder" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj "/CN=FastJob authority" -keyout ca.key -out ca.pem
    certificate() {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
            -addext "subjectAltName=DNS:$1" -addext basicConstraints=critical,CA:FALSE \
            -keyout "$2.key" -out request.pem
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days "${3-90}" \
            -copy_extensions copy -out leaf.pem
        cat leaf.pem ca.pem >"$2.pem"
    }
    for machine in "${machines[@]}"; do
        name=$(address "$machine") name=${name#https://}
        certificate "${name%:7070}" "$machine"
    done
    certificate node-3.example.org expired -1
) 2>/dev/null

# A container with systemd, the packages and the executor.
start_machine() {
    local machine=$1 root=$folder/$1/root state='' pid=''
    mkdir -p "$folder/$machine"/{upper,work,root}
    mount -t overlay overlay "$root" \
        -o "lowerdir=$PWD/$base,upperdir=$folder/$machine/upper,workdir=$folder/$machine/work"
    { cat "$folder/hosts"; echo "127.0.1.1 $machine"; } >"$root/etc/hosts"
    echo "$machine" >"$root/etc/hostname"
    if [ "$machine" != db ]; then
        ln -sf /dev/null "$root/etc/systemd/system/postgresql.service"
        ln -sf /dev/null "$root/etc/systemd/system/postgresql@15-main.service"
    fi
    cp "$old" "$root/root/old.deb"
    cp "$new" "$root/root/new.deb"
    install -m 0755 "$worker" "$root/usr/local/bin/worker"
    cp "$folder/ca.pem" "$folder/expired.pem" "$folder/expired.key" "$root/root/"
    cp "$folder/$machine.pem" "$root/root/cert.pem"
    cp "$folder/$machine.key" "$root/root/key.pem"
    (
        for hierarchy in "${hierarchies[@]}"; do
            mkdir "$hierarchy/$network-$machine"
            echo "$BASHPID" >"$hierarchy/$network-$machine/cgroup.procs"
        done
        exec systemd-nspawn --quiet --machine="$machine" --directory="$root" --boot --register=no --keep-unit \
            --network-namespace-path="/run/netns/$network" --console=pipe
    ) >"$folder/$machine/console" 2>&1 </dev/null &
    manager[$machine]=$!
    for _ in $(seq 300); do
        pid=$(pgrep -P "${manager[$machine]}" | head -n 1 || true)
        if [ -n "$pid" ]; then
            leader[$machine]=$pid
            state=$(within "$machine" systemctl is-system-running 2>/dev/null || true)
        fi
        case $state in running | degraded) break ;; esac
        sleep 0.2
    done
    case $state in running | degraded) ;; *) fail "$machine did not start: $(cat "$folder/$machine/console")" ;; esac
    # The system trusts the authority, and with it all programs of the machine.
    run "$machine" 'install -m 0644 ca.pem /usr/local/share/ca-certificates/fastjob.crt && update-ca-certificates' \
        >/dev/null 2>&1
}

start_machines() {
    local machine
    mkdir "$folder/groups"
    mount -t cgroup2 none "$folder/groups"
    create_network
    create_certificates
    for machine in "${machines[@]}"; do
        start_machine "$machine"
    done
    say "${#machines[@]} machines run"
}
