#!/usr/bin/env bash
# apt_install.sh "PACKAGES" "WHAT FOR": install what is missing of these Debian/Ubuntu packages, where that is allowed.
# Where it is not, say in one sentence what to do and return 1.
set -euo pipefail

what_for=$2
missing=()
command -v dpkg-query >/dev/null 2>&1 && for package in $1; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
done

if ! command -v apt-get >/dev/null 2>&1; then
    printf 'System libraries %s are not installed by this script here (no apt-get): %s\n' "$what_for" "$1" >&2
    exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
    sudo -n true 2>/dev/null || {
        printf 'System libraries %s are missing and may not be installed from here; run: sudo apt-get install %s\n' \
            "$what_for" "${missing[*]}" >&2
        exit 1
    }
fi

printf 'Installing system libraries %s: %s …\n' "$what_for" "${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# An update can fail on one stale source and the packages still be there.
"${as_root[@]}" apt-get -qq update >"$log" 2>&1 || true
if ! "${as_root[@]}" apt-get -qq install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    printf 'System libraries %s could not be installed (%s); the last lines of apt-get:\n' "$what_for" "${missing[*]}" >&2
    tail -n 3 "$log" >&2
    exit 1
fi
