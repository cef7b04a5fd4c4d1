#!/bin/sh
# Install what is missing of these, from Debian's packages; where that needs root, say which they are.
#
#     tools/install_packages.sh openssl curl venv
#
# Without names: of all that the tests use.
#
# `venv` is Python's module, and `headers` are what C extensions of Python need: Debian has packages of their own for both.
# `mod_wsgi` is Apache's, `sslheaders` a plugin of Traffic Server, and `libev` a library. Every other is a program.
set -eu

[ $# -gt 0 ] || set -- make git openssl curl jq keytool haproxy apache2 mod_wsgi traffic_server sslheaders \
    node prometheus chromium chromedriver venv gcc libev headers
missing=
for name in "$@"; do
    case $name in
        chromedriver) package=chromium-driver ;;
        apache2) package=apache2-bin ;; # the program without the service
        keytool) package=default-jre-headless ;;
        node) package=nodejs ;;
        mod_wsgi) package=libapache2-mod-wsgi-py3 ;;
        traffic_server) package=trafficserver ;;
        sslheaders) package=trafficserver-experimental-plugins ;;
        venv) package=python3-venv ;;
        gcc) package="gcc libc6-dev" ;;
        libev) package=libev-dev ;;
        headers) package=python3-dev ;;
        *) package=$name ;;
    esac
    if [ "$name" = venv ]; then
        python3 -c 'import ensurepip' 2>/dev/null || missing="$missing $package"
    elif [ "$name" = mod_wsgi ]; then
        [ -e /usr/lib/apache2/modules/mod_wsgi.so ] || missing="$missing $package"
    elif [ "$name" = headers ]; then
        python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
            missing="$missing $package"
    elif [ "$name" = libev ]; then
        [ -e /usr/include/ev.h ] || missing="$missing $package"
    elif [ "$name" = sslheaders ]; then
        [ -e /usr/lib/trafficserver/modules/sslheaders.so ] || missing="$missing $package"
    else
        PATH="$PATH:/usr/sbin" command -v "$name" >/dev/null || missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "This needs packages that are not installed. As root, on Debian and Ubuntu: apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing"
apt-get update -qq
# Not started: the tests start these programs themselves, and end them.
# shellcheck disable=SC2086  # a list of packages
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing >/dev/null
