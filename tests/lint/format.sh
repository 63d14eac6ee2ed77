#!/bin/sh
# The sources are as clang-format (of Debian 12, version 14) writes them:
#   clang-format-14 -i FILE
set -eu
command -v clang-format-14 >/dev/null || exit 77
cd "$AP_SOURCE"
find lib tools tests -name '*.cc' -o -name '*.hh' | sort |
    xargs clang-format-14 --dry-run --Werror
