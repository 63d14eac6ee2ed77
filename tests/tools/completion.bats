#!/usr/bin/env bats
# What bash and zsh offer. That it is all options and verbs, tests/lint/man_sync.sh sees to.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    export LC_ALL=C
    for id in night noon; do
        printf '{"run_id": "%s", "goal": "\\"run_id\\":\\"none\\"", "phases": [
            {"id": "draft", "command": ["true"]},
            {"id": "%s-review", "command": ["true"]}]}' "$id" "$id" | ap-run create - >&2
    done
    ap-breaker failure anthropic
    touch plan.json "two words"
}

# offers LINE WORD...: both shells offer exactly these words to complete the line
offers() {
    local line=$1 expected
    shift
    expected=$(printf '%s\n' "$@" | sort)
    run -0 "$AP_SOURCE/tests/lint/complete.bash" "$AP_COMPLETIONS/autopack" "$line"
    [ "$output" = "$expected" ]
    command -v zsh >/dev/null || return 0
    run -0 "$AP_SOURCE/tests/lint/complete.zsh" "$AP_COMPLETIONS/_autopack" "$line"
    [ "$output" = "$expected" ]
}

@test "a verb is completed" {
    offers "ap-run s" show
    offers "ap-run --db autopack.db ex" export
}

@test "runs come from the database" {
    offers "ap-run show " night noon
    offers "ap-run show no" noon
    offers "ap-exec --run-id " night noon
    offers "ap-exec -j 2 -r ni" night
    offers "ap-exec --run-id=ni" night
}

@test "phases are those of the run that was named" {
    offers "ap-run retry noon " draft noon-review
    offers "ap-ctl timeout night n" night-review
    offers "ap-ctl timeout --json night --wait 5s n" night-review
}

@test "breakers come from the database" {
    offers "ap-breaker show " anthropic
}

@test "--db says where runs are" {
    mkdir elsewhere
    echo '{"run_id": "other", "phases": [{"id": "a", "command": ["true"]}]}' |
        ap-run --db elsewhere/autopack.db create -
    offers "ap-run --db elsewhere/autopack.db show " other
    offers "ap-run show --db=elsewhere/autopack.db " other
    offers "ap-run show --json --db elsewhere/autopack.db o" other
}

@test "without a database there is nothing to offer, and none is made" {
    rm autopack.db*
    offers "ap-run show " ""
    [ ! -e autopack.db ]
}

@test "the front completes names, then what the tool of that name takes" {
    offers "autopack ru" run
    offers "autopack run sh" show
    offers "autopack ctl timeout night n" night-review
    offers "autopack help exe" exec
}

@test "files are offered for plans and databases, with blanks in their names" {
    offers "ap-run create p" plan.json
    run -0 "$AP_SOURCE/tests/lint/complete.bash" "$AP_COMPLETIONS/autopack" \
        "ap-run create t"
    [ "$output" = "two words" ]
}

@test "after two dashes there are no options" {
    offers "ap-run show -- --" ""
}

@test "a command to be run is completed as a command, its arguments as files" {
    run -0 "$AP_SOURCE/tests/lint/complete.bash" "$AP_COMPLETIONS/autopack" \
        "ap-breaker run anthropic -- ap-exe"
    [ "$output" = ap-exec ]
    run -0 "$AP_SOURCE/tests/lint/complete.bash" "$AP_COMPLETIONS/autopack" \
        "ap-breaker run anthropic -- cat plan"
    [ "$output" = plan.json ]
}

@test "a number or a name of the user's own is left to the user" {
    offers "ap-run create --run-id " ""
    offers "ap-budget settle " ""
}

@test "an option whose text wraps after a colon is not the last that is offered" {
    cat > ap-top << 'END'
#!/bin/sh
cat << 'HELP'
usage: ap-top [options]
wrap texts

options:
  -a, --all                   everything that there is, whatever it was that was used:
                              input, output, or anything else that one may think of:
      --from-what-was-read-before=RUN
                              the run
  -h, --help                  print this summary
HELP
END
    chmod +x ap-top
    offers './ap-top --' --all --from-what-was-read-before --help
}
