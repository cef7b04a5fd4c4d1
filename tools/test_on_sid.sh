#!/bin/sh
# Run the portable tests (see noxfile.py) on the Pythons and the OpenSSL of Debian sid, in a chroot. Needs root.
#
#     tools/test_on_sid.sh [FOLDER]
#
# FOLDER holds the chroot and stays, so that a second run is quick; by default it is under /var/tmp. MIRROR names a mirror of Debian; by default it is debootstrap's.
set -eu

cd "$(dirname "$0")/.."
root=${1:-/var/tmp/sslclientcert-sid}
pythons="python3.14 python3.15"

if [ "$(id -u)" != 0 ]; then
    echo "This makes a chroot, which needs root: sudo make sid" >&2
    exit 1
fi
tools/install_packages.sh debootstrap git

if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase --include=ca-certificates,git,make,curl,openssl,python3 sid "$root" ${MIRROR:+"$MIRROR"}
fi
mounted() { grep -q " $root/$1 " /proc/mounts; }
leave() {
    for each in dev/pts dev proc; do
        if mounted "$each"; then umount "$root/$each"; fi
    done
}
trap leave EXIT
mounted proc || mount -t proc proc "$root/proc"
mounted dev || mount --bind /dev "$root/dev"
mounted dev/pts || mount --bind /dev/pts "$root/dev/pts" # some tests want a terminal

# How this machine reaches the network.
cp /etc/resolv.conf "$root/etc/resolv.conf"
for bundle in "${SSL_CERT_FILE:-}" "${PIP_CERT:-}"; do
    if [ -f "$bundle" ]; then
        mkdir -p "$root$(dirname "$bundle")"
        cp "$bundle" "$root$bundle"
    fi
done

rm -rf "$root/repository"
git clone --quiet . "$root/repository"

inside() { chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# A snapshot of some weeks is good enough, also for what the tests install; its signature is checked all the same.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/snapshot"
inside apt-get update -qq
for python in $pythons; do
    # What sid does not have (yet, or any more) is said, and the others are tested.
    inside apt-get install -qq --yes --no-install-recommends "$python-venv" "$python-dev" gcc libc6-dev >/dev/null ||
        echo "NOT TESTED: sid has no $python" >&2
done

failed=0 tested=0
inside openssl version
for python in $pythons; do
    inside "$python" -c '' 2>/dev/null || continue
    echo "== $python"
    tested=$((tested + 1))
    # nox and uv are installed again by each.
    inside sh -c "cd repository && rm -rf .venv-nox && make portable PYTHON=$python" || failed=1
done
[ "$tested" -gt 0 ] && [ "$failed" = 0 ]
