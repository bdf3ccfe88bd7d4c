#!/usr/bin/env bash
# usage: install-debian.sh [settings]
# What real containers need on Debian or Ubuntu: Podman, runc, slirp4netns, a registry server, a static busybox for tests. Run it as often as you
# like. Its settings of Podman are for this checkout alone, in .containers/: the machine's own, and its images, are left alone. With the
# word `settings` it writes those and installs nothing.
set -euo pipefail
home="$(cd "$(dirname "$0")/../.." && pwd)/.containers"
# Podman finds out by a file there whether the machine was started anew, so it must not outlive that.
volatile="/run/loadme-containers/$(printf %s "$home" | cksum | cut -d' ' -f1)"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
for pair in podman:podman runc:runc docker-registry:docker-registry busybox:busybox-static slirp4netns:slirp4netns; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ "${1-}" != settings ] && [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "containers: no apt-get here; install ${missing[*]} yourself" >&2; exit 1; }
    echo "containers: installing ${missing[*]}"
    # The registry's package would start a server for everybody: not even for a moment.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod +x $policy
        trap 'as_root rm -f $policy' EXIT
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    as_root systemctl disable docker-registry >/dev/null 2>&1 || true
fi

put() { # FILE, its content on standard input: written only when it differs
    local new; new="$(cat)"
    [ -f "$1" ] && [ "$(cat "$1")" = "$new" ] || printf '%s\n' "$new" >"$1"
}
[ "$(id -u)" = 0 ] || { echo "containers: installed; Podman runs rootless here, with your own settings"; exit 0; }
mkdir -p "$home" "$volatile"
exec 9>"$home/.lock"
flock 9 # tests that run side by side may all begin with this
capabilities="$(sed -n 's/^CapEff:\t//p' /proc/self/status)"
put "$home/containers.conf" <<EOF
[containers]
log_driver = "k8s-file"
$( ((0x$capabilities >> 24 & 1)) || echo 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"] # no right here to raise any' )
[engine]
runtime = "runc"
events_logger = "file"
$( [ -d /run/systemd/system ] || echo 'cgroup_manager = "cgroupfs" # no systemd here' )
tmp_dir = "$volatile/tmp"
EOF
storage() { printf '[storage]\ndriver = "%s"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' "$1" "$home" "$volatile"; }
put "$home/registries.conf" <<<'unqualified-search-registries = []'
export CONTAINERS_CONF="$home/containers.conf" CONTAINERS_STORAGE_CONF="$home/storage.conf" CONTAINERS_REGISTRIES_CONF="$home/registries.conf"
if [ ! -f "$home/storage.conf" ]; then
    storage overlay | put "$home/storage.conf"
    if ! podman info >/dev/null 2>&1; then # the disk may be one on which nothing can be laid over
        rm -rf "$home/storage"
        storage vfs | put "$home/storage.conf"
    fi
fi
if ! podman info >/dev/null; then
    echo "containers: Podman does not work here: see above" >&2
    exit 1
fi
echo "containers: ready (settings and images in $home)"
