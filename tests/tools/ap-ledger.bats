#!/usr/bin/env bats
# Documents that only grow, with a chain of hashes in the database.
# shellcheck disable=SC2030,SC2031 # each test has its own environment, as is meant

bats_require_minimum_version 1.5.0
load common

setup() {
    unset "${!AUTOPACK_@}"
    cd "$(mktemp -d)"
    ap-db init
}

teardown() {
    rm -rf "$PWD"
}

# add TITLE [BODY]: a build entry; prints its id
add() {
    ap-ledger add build --title "$1" <<<"${2:-body of $1}"
}

@test "add makes the document and prints the entry's id" {
    id=$(ap-ledger add decision -t 'Use SQLite' -r night -p fix <<<'It is one file.')
    [[ $id =~ ^A-[0-9a-f]{12}$ ]]
    grep -q "^## $id 20..-..-..T..:..:..\....Z Use SQLite\$" docs/ARCHITECTURE_DECISIONS.md
    grep -qx 'Run: night, phase: fix' docs/ARCHITECTURE_DECISIONS.md
    grep -qx 'It is one file.' docs/ARCHITECTURE_DECISIONS.md
}

@test "add reads a file, and prints JSON" {
    echo 'from a file' >body
    ap-ledger add debug -t Title --json body | jq -e '.id | startswith("D-")'
    grep -qx 'from a file' docs/DEBUG_LOG.md
}

@test "add refuses a title of two lines, an unknown document and a phase without a run" {
    run ap-ledger add build -t $'a\nb' </dev/null
    [ "$status" -eq 2 ]
    run ap-ledger add diary -t x </dev/null
    [ "$status" -eq 2 ]
    [[ $output == *"expected build, debug or decision, got 'diary'"* ]]
    run ap-ledger add build -t x -p fix </dev/null
    [ "$status" -eq 2 ]
    [ ! -e docs/BUILD_HISTORY.md ]
}

@test "what people wrote before stays as it is when an entry is added" {
    mkdir docs
    printf '# Mine\n\n## Old\n\ntext' >docs/BUILD_HISTORY.md
    add New
    [ "$(head -n 5 docs/BUILD_HISTORY.md)" = $'# Mine\n\n## Old\n\ntext' ]
    ap-ledger verify
}

@test "twenty adders at once lose nothing and leave a sound chain" {
    for number in {1..20}; do
        add "entry $number" >/dev/null &
    done
    wait
    [ "$(grep -c '^## B-' docs/BUILD_HISTORY.md)" -eq 20 ]
    [ "$(ap-ledger list --json | wc -l)" -eq 20 ]
    ap-ledger verify
}

@test "list filters by document and run, newest last" {
    add one
    ap-ledger add debug -t two -r night </dev/null
    add three
    [ "$(ap-ledger list --json build | jq -r .title)" = $'one\nthree' ]
    [ "$(ap-ledger list --json --run night | jq -r '.run_id + " " + .title')" = 'night two' ]
    [ "$(ap-ledger list --json --limit 1 | jq -r .title)" = three ]
    ap-ledger list | grep -q '^WHEN *DOCUMENT *ENTRY *TITLE$'
}

@test "verify names file, line and entry of what was edited" {
    id=$(add one secret)
    sed -i s/secret/public/ docs/BUILD_HISTORY.md
    run ap-ledger verify
    [ "$status" -eq 1 ]
    [ "$output" = "$PWD/docs/BUILD_HISTORY.md:5: entry $id was edited" ]
    ap-ledger verify debug
    [ "$(ap-ledger verify --json | jq -r .reason)" = 'was edited' ]
}

@test "tidy says what it did, and an event records it" {
    mkdir docs
    printf '# Mine\n\n## Old\n\ntext\n' >docs/BUILD_HISTORY.md
    ap-ledger tidy -v | grep -qx 'docs/BUILD_HISTORY.md: 1 entries, 1 adopted'
    ap-ledger tidy --json | jq -se 'all(.is_changed == false)'
    [ "$(query "SELECT count(*) FROM events WHERE kind = 'ledger.tidied'")" -eq 1 ]
}

@test "tidy refuses a conflict marker without its counterpart and changes nothing" {
    add one
    echo '<<<<<<< HEAD' >>docs/BUILD_HISTORY.md
    before=$(cat docs/BUILD_HISTORY.md)
    run ap-ledger tidy
    [ "$status" -eq 65 ]
    [[ $output == *"docs/BUILD_HISTORY.md:10: a conflict marker without its counterpart"* ]]
    [ "$(cat docs/BUILD_HISTORY.md)" = "$before" ]
}

# Two branches that both append, in a repository with the driver or without.
branches() {
    git init -q -b main .
    git config user.name x
    git config user.email x@example.invalid
    printf 'autopack.db*\n.autonomous_runs\nother.db*\n' >.gitignore
    add first
    git add -A
    git commit -qm first
    git checkout -qb other
    # Another machine has another database.
    AUTOPACK_DB=other.db ap-db init
    AUTOPACK_DB=other.db ap-ledger tidy
    git commit -qam tidied
    theirs=$(AUTOPACK_DB=other.db ap-ledger add build -t theirs <<<'their body')
    git commit -qam theirs
    git checkout -q main
    ours=$(add ours)
    git commit -qam ours
}

@test "git merges by the driver, and tidy makes the chain again" {
    branches
    echo 'docs/BUILD_HISTORY.md merge=ap-ledger' >.gitattributes
    git config merge.ap-ledger.driver 'ap-ledger merge %O %A %B'
    git merge -q -m merged other
    run ! grep -q '<<<<<<<' docs/BUILD_HISTORY.md
    for id in $ours $theirs; do
        [ "$(grep -c "^## $id " docs/BUILD_HISTORY.md)" -eq 1 ]
    done
    run ap-ledger verify
    [ "$status" -eq 1 ]
    [[ $output == *"entry $theirs was inserted"* ]]
    ap-ledger tidy
    ap-ledger verify
    [ "$(ap-ledger list --json build | jq -r .title)" = $'first\ntheirs\nours' ]
}

@test "tidy resolves what git left of a merge without the driver" {
    branches
    run git merge -q -m merged other
    [ "$status" -eq 1 ]
    grep -q '<<<<<<<' docs/BUILD_HISTORY.md
    ap-ledger tidy
    ap-ledger verify
    [ "$(ap-ledger list --json build | jq -r .title)" = $'first\ntheirs\nours' ]
    run ! grep -q '<<<<<<<' docs/BUILD_HISTORY.md
}

@test "merge leaves a real conflict between markers, with status 1" {
    id=$(add one)
    cp docs/BUILD_HISTORY.md base
    sed 's/body/ours/' base >ours
    sed 's/body/theirs/' base >theirs
    run ap-ledger merge base ours theirs
    [ "$status" -eq 1 ]
    [ "$output" = "ap-ledger: entry $id differs between the two sides" ]
    grep -qx '<<<<<<< ours' ours
    grep -qx '>>>>>>> theirs' ours
}

@test "a tool killed at any point leaves the old documents or the new ones" {
    command -v strace >/dev/null || skip "no strace(1)"
    strace -o /dev/null true || skip "strace(1) cannot be used here"
    mkdir docs
    printf '# Mine\n\n## Old\n\ntext\n' >docs/BUILD_HISTORY.md
    add one >/dev/null
    echo 'by hand' >>docs/BUILD_HISTORY.md
    cp -r . ../state.$$
    calls=openat,write,pwrite64,fsync,fdatasync,rename
    count=$(strace -qq -e trace=$calls ap-ledger tidy 2>&1 | grep -c '(')
    new=$(cat docs/BUILD_HISTORY.md)
    old=$(cat ../state.$$/docs/BUILD_HISTORY.md)
    for ((at = 1; at <= count; at += 7)); do
        rm -rf ./* .autonomous_runs
        cp -r ../state.$$/. .
        strace -qq -o /dev/null -e trace=$calls -e "inject=$calls:signal=KILL:when=$at" \
            ap-ledger tidy || true
        now=$(cat docs/BUILD_HISTORY.md)
        [ "$now" = "$old" ] || [ "$now" = "$new" ]
        ap-ledger tidy
        [ "$(cat docs/BUILD_HISTORY.md)" = "$new" ]
        ap-ledger verify
    done
    rm -rf ../state.$$
}

@test "a run that ends is written down once, a failure in the debug log, too" {
    jq -n '{run_id: "night", phases: [{id: "a", command: "true"}, {id: "b",
        command: "exit 3"}]}' | ap-run create -
    run ap-exec --run-id night --quiet
    [ "$status" -eq 1 ]
    run ap-exec --run-id night --quiet
    [ "$(grep -c '^## B-.* Run night: DONE_FAILED$' docs/BUILD_HISTORY.md)" -eq 1 ]
    grep -qx -- '- phase b failed after 1 attempt: exit status 3' docs/DEBUG_LOG.md
    ap-ledger verify
}

@test "a run that succeeds leaves the debug log alone, and AUTOPACK_LEDGER=off both" {
    jq -n '{run_id: "night", phases: [{id: "a", command: "true"}]}' >plan.json
    ap-run create plan.json
    AUTOPACK_LEDGER=off ap-exec --run-id night --quiet
    [ ! -e docs ]
    ap-exec --run-id night --quiet
    grep -q '^## B-.* Run night: DONE_SUCCESS$' docs/BUILD_HISTORY.md
    [ ! -e docs/DEBUG_LOG.md ]
}

@test "a run ends as it does where the documents cannot be written" {
    echo 'not a directory' >docs
    jq -n '{run_id: "night", phases: [{id: "a", command: "true"}]}' | ap-run create -
    run ap-exec --run-id night --quiet
    [ "$status" -eq 0 ]
    [[ $output == *"the ledger is not written yet"* ]]
    rm docs
    ap-ledger list >/dev/null
    grep -q 'Run night: DONE_SUCCESS' docs/BUILD_HISTORY.md
}
