#!/usr/bin/env bash
# What the tests of the napari dock need to draw into a window on a machine without a screen.
# Never fails: without these libraries the tests of the dock skip, all others run.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -s)" = Linux ] || exit 0

packages="xvfb xauth libxcb-icccm4 libxcb-keysyms1 libxcb-cursor0 libxkbcommon-x11-0 libgl1 libegl1 libopengl0 libgl1-mesa-dri libdbus-1-3 xdotool"
scripts/apt_install.sh "$packages" "for the GUI tests" || true
