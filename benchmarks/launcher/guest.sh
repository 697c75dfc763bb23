#!/bin/bash
# The launcher's tests, or any command, in a Linux guest of 4 GB with cgroup v2 of its own; see README.md beside it.
# usage: benchmarks/launcher/guest.sh [PYTEST ARGUMENT...]
#        benchmarks/launcher/guest.sh -- COMMAND...
set -euo pipefail
cd "$(dirname "$0")/../.."
runner=${GUEST_RUNNER:-../shared/vm4g/run.sh}
venv=$(realpath "${GUEST_VENV:-.venv}")
out=${GUEST_OUT:-$(mktemp -d)}
[ -x "$runner" ] || { echo "no guest runner at $runner; name one in GUEST_RUNNER" >&2; exit 2; }
if [ "${1:-}" = -- ]; then
  shift
else
  [ $# -gt 0 ] || set -- memory_capped_launcher/memory_capped_launcher_tests
  set -- "$venv/bin/python" -m pytest -p no:cacheprovider "$@"
fi
echo "output: $out (stdout grows while it runs)" >&2
# 25: Python in software emulation is 15 to 20 times slower, and two processes at once are slower again.
exec "$runner" --ram "${GUEST_RAM_MB:-4096}" --timeout "${GUEST_TIMEOUT_S:-3600}" \
  --ro "$venv" --ro "$PWD" --cwd "$PWD" --out "$out" \
  --env "PYTHONPATH=$PWD:$PWD/memory_capped_launcher:$PWD/memory_capped_launcher/src" --env "TEST_PATIENCE=${TEST_PATIENCE:-25}" -- "$@"
