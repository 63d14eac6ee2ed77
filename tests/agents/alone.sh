#!/bin/bash
# Runs a command where there is no network but loopback, in an environment that agents find
# on a new machine: alone.sh COMMAND... Skips (77) where that cannot be made.
set -euo pipefail
bin=$("$(dirname "$0")/install.sh")
export PATH=$bin:$PATH
unset "${!ANTHROPIC_@}" "${!OPENAI_@}" "${!GEMINI_@}" "${!GOOGLE_@}" "${!CLAUDE_@}" \
    "${!CODEX_@}" "${!OPENCODE_@}" http_proxy https_proxy all_proxy HTTP_PROXY \
    HTTPS_PROXY ALL_PROXY
export DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1 DISABLE_AUTOUPDATER=1 \
    OPENCODE_DISABLE_MODELS_FETCH=1
unshare --map-root-user --net ip link set lo up || {
    echo 'alone.sh: needs network namespaces and ip(8)' >&2
    exit 77
}
exec unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' sh "$@"
