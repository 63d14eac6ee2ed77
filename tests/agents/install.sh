#!/bin/bash
# Installs the coding agents from npm into a directory outside the tree, AP_AGENTS_CACHE,
# and prints the directory of their programs. Nothing is done if they are there.
#
# The packages' own install scripts are not run: the platform's binary is in a package of
# its own, and is linked to from here.
set -euo pipefail
cache=${AP_AGENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/autopack-agents}
# Those the pages in docs/agents were written from; AP_AGENTS_LATEST=1 takes the newest.
packages=(@anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 opencode-ai@1.18.33)
if [ -n "${AP_AGENTS_LATEST:-}" ]; then
    packages=("${packages[@]%@*}")
fi
case $(uname -m) in
x86_64) platform=linux-x64 ;;
aarch64) platform=linux-arm64 ;;
*) echo "install.sh: no agents for $(uname -m)" >&2 && exit 77 ;;
esac

mkdir -p "$cache/bin"
exec 9> "$cache/lock"
flock 9
if [ "$(cat "$cache/installed" 2> /dev/null)" != "${packages[*]}" ]; then
    command -v npm > /dev/null || { echo 'install.sh: needs npm' >&2 && exit 77; }
    npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund \
        "${packages[@]}" >&2
    modules=$cache/node_modules
    ln -sf "$modules/@anthropic-ai/claude-code-$platform/claude" "$cache/bin/claude"
    ln -sf "$modules/@openai/codex-$platform"/vendor/*/bin/codex "$cache/bin/codex"
    ln -sf "$modules/opencode-$platform/bin/opencode" "$cache/bin/opencode"
    for program in claude codex opencode; do
        [ -x "$cache/bin/$program" ]
    done
    printf '%s' "${packages[*]}" > "$cache/installed"
fi
echo "$cache/bin"
