#!/usr/bin/env bash
# Runs the unit that ships under a real systemd, in namespaces of its own, on an overlay of this
# machine that is gone afterwards. By hand, as root, on Debian; `sealshot` is the one on the path:
#
#     sealshot demo && tests/systemd.sh sealshot-demo/clip.avi
#
# Starts a camera, the service, reloads, kills, stops and starves it, gives it a wrong file.
set -euo pipefail
clip=$(realpath "${1:?which clip? sealshot demo makes one}")
here=$(realpath "$0")

if [[ ${2:-} == inside ]]; then
    exec 2>&1
    fail() { echo "FAILED: $*"; systemctl status -l --no-pager sealshot systemd-journald; journalctl -u sealshot --no-pager -n 30; exit 1; }
    until_true() { for _ in {1..150}; do "$@" && return; sleep 0.2; done; fail "$*"; }
    main() { systemctl show -p MainPID --value sealshot; }
    restarted() { [[ $(main) != 0 && $(main) != "$before" ]] && systemctl -q is-active sealshot; }
    # not `jq`: no more programs than there are
    people() { sealshot status --json | grep -q '"people": [1-9]'; }

    useradd --system --home-dir /var/lib/sealshot --groups video sealshot
    sealshot serve --unit > /etc/systemd/system/sealshot.service
    mkdir -p /etc/systemd/system/sealshot.service.d /etc/sealshot
    printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' \
        > /etc/systemd/system/sealshot.service.d/test.conf
    if [[ $(realpath "$(command -v python3)") == /root/* ]]; then  # as pyenv has it
        chmod go+x /root
        echo 'ProtectHome=no' >> /etc/systemd/system/sealshot.service.d/test.conf
    fi
    echo "Environment=PYTHONPATH=${PYTHONPATH:-}" >> /etc/systemd/system/sealshot.service.d/test.conf
    # no credential: this may be a kernel without ACLs on tmpfs, where only root could read it
    install -d -o sealshot -m 700 /var/lib/sealshot
    echo 'http://127.0.0.1:8090/live' > /var/lib/sealshot/north.source
    chown sealshot /var/lib/sealshot/north.source
    chmod 600 /var/lib/sealshot/north.source
    recipient=$(sealshot keys new /tmp/authority.key)
    printf '[camera.north]\nsource_file = "/var/lib/sealshot/north.source"\nto = ["%s"]\n' "$recipient" \
        > /etc/sealshot/cameras.toml
    printf 'vault = "/var/lib/sealshot/north"\nemit = "live"\n[page]\n' >> /etc/sealshot/cameras.toml
    systemctl daemon-reload

    systemctl start sealshot || fail "it does not start"
    echo "started, and ready by its own word: $(systemctl show -p StatusText --value sealshot)"
    until_true people
    grep -E '^(NoNewPrivs|Seccomp|CapEff)' "/proc/$(main)/status"
    before=$(main)
    systemctl reload sealshot
    [[ $(main) == "$before" ]] || fail "a reload took another process"
    until_true people
    echo "reloaded, the same process"
    kill -9 "$before"
    until_true restarted
    echo "killed, and started again"
    before=$(main)
    kill -STOP "$before"
    until_true restarted
    journalctl -u sealshot --no-pager | grep -q "Watchdog timeout" || fail "no watchdog"
    echo "hung, found by the watchdog, and started again"
    until_true people
    systemctl stop sealshot
    [[ $(systemctl show -p Result --value sealshot) == success ]] || fail "it did not stop well"
    count=$(sealshot vault list /var/lib/sealshot/north 2> /dev/null | grep -c '\.age')
    ((count > 0)) || fail "no shot"
    [[ $(stat -c %U:%a /var/lib/sealshot/north) == sealshot:700 ]] || fail "others may look"
    echo "stopped; shots in the vault: $count"
    echo 'quoata = "1G"' >> /etc/sealshot/cameras.toml
    systemctl start sealshot && fail "a wrong file was taken"
    sleep 3
    [[ $(systemctl show -p NRestarts --value sealshot) == 0 ]] || fail "it tries a wrong file again"
    echo "a wrong file: $(journalctl -u sealshot --no-pager -o cat | grep 'line 7')"
    journalctl -u sealshot --no-pager -o cat -p err | grep -q 'line 7' || fail "no level in the log"
    journalctl -u sealshot --no-pager -o cat | grep -q cpuinfo && fail "the processor is not known"
    echo "warnings and errors:"
    journalctl -u sealshot --no-pager -o cat -p warning | sort | uniq -c | sort -rn | head -8
    echo "all is well"
    exit 0
fi

if [[ ${2:-} == boot ]]; then
    root=$3
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$root"
    mkdir "$root"/{upper,work,all}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
    mount -t proc proc "$root/all/proc"
    mount -t sysfs sysfs "$root/all/sys"
    mount -t cgroup2 cgroup2 "$root/all/sys/fs/cgroup"
    mount --rbind /dev "$root/all/dev"
    for folder in run tmp; do mount -t tmpfs tmpfs "$root/all/$folder"; done
    # what is mounted below / is no part of an overlay
    findmnt -rno TARGET | grep -vE "^/(proc|sys|dev|run|tmp)?(/|$)|^$root" | while read -r mounted; do
        mkdir -p "$root/all$mounted" && mount --bind "$mounted" "$root/all$mounted"
    done
    ip link set lo up
    units=$root/all/etc/systemd/system
    printf '[Service]\nExecStart=%s %s\n' "$(command -v python3) $(dirname "$here")/mjpeg_camera.py" \
        /clip > "$units/test-camera.service"
    printf '%s\n' '[Unit]' 'Wants=test-camera.service systemd-journald.service' \
        'After=systemd-journald.service' DefaultDependencies=no '[Service]' Type=oneshot \
        "Environment=PATH=$PATH HOME=/root ${PYTHONPATH:+PYTHONPATH=$PYTHONPATH}" \
        "ExecStart=/bin/bash $here $clip inside" "ExecStopPost=/bin/systemctl exit --force" \
        "StandardOutput=file:/result" > "$units/test.service"
    printf '[Unit]\nRequires=test.service\nAllowIsolate=yes\n' > "$units/test.target"
    : > "$root/all/etc/machine-id"
    touch "$root/all/result"
    mount --bind "$4" "$root/all/result"
    cp "$clip" "$root/all/clip"
    cd "$root/all"
    mkdir before
    pivot_root . before  # in a chroot nobody may make a user namespace, as PrivateUsers= does
    umount -l before
    exec env -i container=other PATH="$PATH" /lib/systemd/systemd --system \
        --unit=test.target --show-status=no --log-target=journal --log-level=info
fi

root=$(mktemp -d) result=$(mktemp)
trap 'rmdir "$root"; rm "$result"' EXIT
timeout -s KILL 300 unshare --pid --mount --uts --ipc --net --cgroup --fork \
    bash "$here" "$clip" boot "$root" "$result" || true
cat "$result"
tail -1 "$result" | grep -q '^all is well$'
