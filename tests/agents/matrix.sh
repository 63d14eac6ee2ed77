#!/bin/bash
# What each agent does when its provider fails in one way and stays so: the tables of
# docs/agents. Run by alone.sh: matrix.sh AGENT [SECONDS]; takes up to an hour.
set -euo pipefail
agent=$1
limit=${2:-600}
. "$AP_SOURCE/tests/tools/mock.bash"
work=$(mktemp -d)
trap 'stop_mock; rm -rf "$work"' EXIT
cd "$work"
mkdir home
export HOME=$PWD/home

command_of() {
    case $agent in
    claude) echo claude -p --output-format json ;;
    codex)
        echo codex exec --json --skip-git-repo-check -m gpt-5 \
            -c 'model_provider="m"' -c "model_providers.m={name=\"m\",base_url=\"$MOCK_URL/v1\",env_key=\"OPENAI_API_KEY\",wire_api=\"responses\"}"
        ;;
    opencode) echo opencode run --format json -m m/gpt-5 ;;
    esac
}

# Starts the agent once with a scenario for all its calls, and tells how that ended.
try() { # NAME SCENARIO
    local command began status=0
    start_mock --scenario "{\"default\": $2}"
    export ANTHROPIC_BASE_URL=$MOCK_URL ANTHROPIC_API_KEY=k OPENAI_API_KEY=k
    cat > opencode.json <<END
{"provider": {"m": {"npm": "@ai-sdk/openai-compatible", "models": {"gpt-5": {}},
    "options": {"baseURL": "$MOCK_URL/v1", "apiKey": "k"}}}}
END
    export OPENCODE_CONFIG=$PWD/opencode.json
    began=$(date +%s%N)
    read -ra command <<< "$(command_of)"
    timeout "$limit" "${command[@]}" 'Say hello' > out 2> err < /dev/null || status=$?
    printf '| %s | %d | %.1f | %s |\n' "$1" "$(mock_total requests)" \
        "$((($(date +%s%N) - began) / 100000000))e-1" "$status"
    stop_mock
    wait "$MOCK_PID" || true
}

echo '| the provider | calls | seconds | exit status |'
echo '| --- | --- | --- | --- |'
try 'answers' '{}'
for status in 400 401 402 403 429 500 503 529; do
    try "answers $status" "{\"status\": $status}"
done
try 'answers 429, Retry-After: 2' '{"status": 429, "retry_after": 2}'
try 'cuts the stream (RST)' '{"cut_after_events": 2}'
try 'cuts the stream (FIN)' '{"cut_after_events": 2, "cut": "fin"}'
