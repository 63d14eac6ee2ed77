# Repositories to build changes in, and answers recorded for them, in three languages
# (repositories/LANGUAGE: tree, answers, phase.json): `load common`, `mock` and `build` first.

recorded=$AP_SOURCE/tests/tools/repositories

# make_repository_of LANGUAGE: the repository ./repo, with the answers beside it
make_repository_of() {
    language=$1
    [ "$language" != javascript ] || command -v node > /dev/null || skip 'no node'
    cp -R "$recorded/$language/tree" repo
    cp "$recorded/$language/answers"/* .
    git init -q -b main repo
    git -C repo config user.name Tester
    git -C repo config user.email tester@localhost
    git -C repo add .
    git -C repo commit -q -m 'Write durations'
}

# answers MODEL FILE [MEMBERS]: an entry of a script, with the text of a recorded answer
answers() {
    jq -n --arg model "$1" --arg file "$2" "{model: \$model, text_file: \$file} + ${3:-{\}}"
}

# objects ISSUE [MEMBERS]: an auditor's entry
objects() {
    says judge "$(jq -cn --arg text "$1" \
        '{verdict: "major", issues: [{severity: "major", text: $text}]}')" "${2:-{\}}"
}

# start ENTRY...: the mock with this script
start() {
    script "$@"
    start_mock --script script.json
    use_mock_models
}

# create_run_of_goal MEMBERS [PHASE...]: the run r, whose phase `read` is the recorded one
create_run_of_goal() {
    local members=$1
    shift
    printf '%s\n' "$@" | jq -s --argjson members "$members" \
        --slurpfile phase "$recorded/$language/phase.json" \
        '{run_id: "r", phases: ([$phase[0] + {id: "read", cwd: "repo", on_stuck: "fail",
            backoff: {first: 0}} + $members] + .)}' > plan.json
    ap-run create plan.json > /dev/null
}

merges='{"id": "merge", "cwd": "repo", "depends_on": ["read"], "merge": "fast-forward"}'

# durations ARGUMENT...: the program of the repository in the working directory
durations() {
    case $language in
    c) make -s build/durations && build/durations "$@" ;;
    python) python3 -B -m durations "$@" ;;
    javascript) node bin/durations.js "$@" ;;
    esac
}

# The branch in a directory of its own passes the repository's tests and does what the
# goal says; nothing that a check has made is in it.
reads_durations() {
    rm -rf taken
    mkdir taken
    git -C repo archive "${1:-autopack/r}" | tar -x -C taken
    (
        cd taken
        [ -z "$(find . -name build -o -name __pycache__ -o -name node_modules)" ]
        case $language in
        c) make -s test ;;
        python) python3 -B -m unittest -q ;;
        javascript) node --test ;;
        esac > ../taken.log 2>&1
        [ "$(durations -r '1h 2m 5s')" = 3725 ]
        [ "$(durations 3725)" = '1h 2m 5s' ]
        if durations -r soon 2> /dev/null; then return 1; fi
    )
}

# The branch is as it was when the run began.
nothing_committed() {
    [ "$(git -C repo rev-parse main)" = "$(git -C repo rev-parse autopack/r)" ]
}

# tidy: the repository has no worktree left and no change that is not committed
tidy() {
    [ -z "$(git -C repo status --porcelain --ignored)" ]
    [ "$(git -C repo worktree list | wc -l)" -eq 1 ]
}

trailer() {
    git -C repo log -1 --format="%(trailers:key=$1,valueonly)" "${2:-autopack/r}" | sed '/^$/d'
}

# The books, the run's budget and the trailer have what the mock served, to the token.
books_are_right() {
    local served recorded_tokens
    served=$(mock_total 'prompt_tokens + .completion_tokens')
    recorded_tokens=$(query 'SELECT sum(prompt_tokens + completion_tokens) FROM llm_usage_events')
    [ "$recorded_tokens" -eq "$served" ]
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = ''")" -eq "$served" ]
    [ "$(query "SELECT count(*) FROM budget_reservations WHERE status = 'OPEN'")" -eq 0 ]
    ap-db check > /dev/null
}

# The books have at least what the mock served, and nothing is reserved any more: of
# answers to a killed process nobody knows what they used.
books_are_no_less() {
    wait_until mock_is_idle
    [ "$(query "SELECT tokens_used FROM budgets WHERE phase_id = ''")" -ge \
        "$(mock_total 'prompt_tokens + .completion_tokens')" ]
    [ "$(query "SELECT count(*) FROM budget_reservations WHERE status = 'OPEN'")" -eq 0 ]
    ap-db check > /dev/null
}

failures() {
    query "SELECT group_concat(failure_class) FROM
        (SELECT failure_class FROM builds WHERE status = 'FAILED' ORDER BY phase_id, number)"
}

# A person is asked, and nothing is held meanwhile.
is_asked() {
    [ "$(query "SELECT count(*) FROM approvals JOIN phases USING (run_id, phase_id)
        WHERE state = 'PENDING' AND status = 'QUEUED'")" -eq 1 ]
}

# What only the recorded answers `outside` and `unfitting` have in them.
outside_path() {
    case $language in
    c) echo config/duration.mk ;;
    python) echo setup.cfg ;;
    javascript) echo npm-shrinkwrap.json ;;
    esac
}

unfitting_line() {
    case $language in
    c) echo 'duration_to_string' ;;
    python) echo 'format_seconds' ;;
    javascript) echo 'module.exports' ;;
    esac
}

# A model is at an answer.
is_answering() {
    [ "$(mock_total in_flight)" -eq 1 ]
}
