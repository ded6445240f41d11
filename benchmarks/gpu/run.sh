#!/usr/bin/env bash
# From the root of a checkout on a machine with a GPU: `DATA=her2st OUT=results bash benchmarks/gpu/run.sh`; README.md.
set -u
here=$(cd "$(dirname "$0")" && pwd); out=${OUT:-gpu-results}; mkdir -p "$out"
extra=$(mktemp -d)
for wheel in .gpu-wheels/*.whl; do [ -e "$wheel" ] && python3 -m zipfile -e "$wheel" "$extra"; done
export PYTHONPATH="$PWD/src:$extra" OMP_NUM_THREADS=1 MPLBACKEND=Agg
{ nvidia-smi; python3 -c "import torch; print(torch.__version__)"; } >"$out/machine.txt" 2>&1
timeout "${CHECK_SECONDS:-90}" python3 "$here/check.py" --device "${DEVICE:-cuda}" --out "$out/check.json" ${QUICK:+--quick} 2>&1 | tail -n 3
timeout "${SEARCH_LIMIT:-540}" python3 "$here/search.py" --device "${DEVICE:-cuda}" --data "${DATA:?folder of the her2st sections}" --out "$out" \
  --kept "$extra/kept" --workers "${WORKERS:-12}" --inner-seconds "${INNER_SECONDS:-330}" --seconds "${SECONDS_IN_ALL:-450}"
