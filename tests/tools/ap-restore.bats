#!/usr/bin/env bats
# ap-restore(1): back to what was, from good archives and from none other.

bats_require_minimum_version 1.5.0

setup() {
    mkdir "$BATS_TEST_TMPDIR/state"
    cd "$BATS_TEST_TMPDIR/state"
    unset AUTOPACK_DB AUTOPACK_RUNS_DIR
    echo '{"run_id": "demo", "phases": [{"id": "one", "command": "echo hello"}]}' >plan.json
    ap-run create plan.json
    ap-exec --quiet --run-id demo
}

teardown() {
    [ ! -f other ] || rm -rf "$(cat other)"
    if [ -f pids ]; then
        while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <pids
    fi
}

runs() {
    ap-run list --json | jq -r .run_id | sort | tr '\n' ' '
}

create() {
    echo "{\"run_id\": \"$1\", \"phases\": [{\"id\": \"one\", \"command\": \"true\"}]}" |
        ap-run create - >/dev/null
}

# Everything below the current directory, as one text.
picture() {
    find . -mindepth 1 ! -name '*.tar*' -printf '%P %s %m\n' | sort
}

# An archive with a member that a backup may not hold, made by hand.
hostile() { # FILE PYTHON
    python3 - "$1" <<EOF
import io, sys, tarfile
archive = tarfile.open(sys.argv[1], "w:gz")
def add(name, data=b"x", **more):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in more.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(data))
$2
archive.close()
EOF
}

expect_refused() { # FILE
    picture >../before
    run --separate-stderr ap-restore --no-manifest -q -i "$1"
    [ "$status" -eq 65 ]
    picture >../after
    diff ../before ../after
    [ ! -e ../evil ]
    [ ! -e /tmp/autopack-evil ]
}

@test "brings back runs, files and documents, and keeps what was there" {
    mkdir -p docs
    echo one >docs/DEBUG_LOG.md
    ap-backup -o backup.tar.zst
    create later
    echo two >docs/DEBUG_LOG.md
    run --separate-stderr ap-restore --input backup.tar.zst
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    [ "$(runs)" = "demo " ]
    [ "$(cat docs/DEBUG_LOG.md)" = one ]
    [ "$(cat autopack-rollback-*/docs/DEBUG_LOG.md)" = two ]
    ap-db check
    [ "$(sqlite3 autopack-rollback-*/autopack.db 'SELECT count(*) FROM runs')" = 2 ]
}

@test "restores from standard input, at another place" {
    ap-backup -o - | ap-restore -i - --to ../elsewhere/deep
    cd ../elsewhere/deep
    [ "$(runs)" = "demo " ]
    grep -q hello .autonomous_runs/demo/phases/one/attempt-1/*
}

@test "lists and verifies without touching anything" {
    ap-backup -o backup.tar.gz
    picture >../before
    ap-restore -i backup.tar.gz --list | grep -q ' autopack.db$'
    ap-restore -i backup.tar.gz --list --json | jq -es 'any(.path == "autopack.db")' >/dev/null
    ap-restore -i backup.tar.gz --verify-only
    ap-restore -i backup.tar.gz --dry-run --json | jq -e '.files > 3' >/dev/null
    picture >../after
    diff ../before ../after
}

@test "restores one directory of it" {
    ap-backup -o backup.tar.zst
    rm -r .autonomous_runs/demo/phases
    create later
    ap-restore -i backup.tar.zst --only .autonomous_runs/demo/
    [ -d .autonomous_runs/demo/phases ]
    [ "$(runs)" = "demo later " ]
}

@test "waits for an executor, and is refused without waiting" {
    ap-backup -o backup.tar.zst
    echo '{"run_id": "long", "phases": [{"id": "one",
        "command": "until [ -e finished ]; do sleep 0.02; done"}]}' | ap-run create -
    ap-exec --quiet --run-id long 3>&- &
    executor=$!
    echo "$executor" >pids
    until [ "$(ap-run show long --json | jq -r .status)" = EXECUTING ]; do sleep 0.02; done
    run --separate-stderr ap-restore -q -i backup.tar.zst
    [ "$status" -eq 75 ]
    [[ $stderr == *"ap-exec (pid $executor) has the database open"* ]]
    (sleep 0.3; touch finished) 3>&- &
    ap-restore -q -i backup.tar.zst --wait 30s
    wait "$executor"
    [ "$(runs)" = "demo " ]
}

@test "takes up a run that was under way when the backup was made" {
    echo '{"run_id": "long", "phases": [{"id": "one", "grace": "1s",
        "command": "until [ -e finished ]; do sleep 0.02; done"}]}' | ap-run create -
    ap-exec --quiet --run-id long 3>&- &
    executor=$!
    echo "$executor" >pids
    until [ "$(ap-run show long --json | jq -r .status)" = EXECUTING ]; do sleep 0.02; done
    ap-backup -o backup.tar.zst
    touch finished
    wait "$executor"
    ap-restore -q -i backup.tar.zst
    [ "$(sqlite3 autopack.db "SELECT status FROM phases WHERE run_id = 'long'")" = QUEUED ]
    ap-db check
    ap-exec --quiet --run-id long
}

@test "refuses the database of a newer schema" {
    ap-backup -o backup.tar.zst
    mkdir newer
    tar -xf backup.tar.zst -C newer
    sqlite3 newer/autopack.db 'PRAGMA user_version = 999'
    tar -czf newer.tar.gz -C newer autopack.db
    run --separate-stderr ap-restore -q --no-manifest -i newer.tar.gz
    [ "$status" -eq 78 ]
    [[ $stderr == *"use a newer program"* ]]
    [ "$(runs)" = "demo " ]
}

# Nothing can be renamed from one file system to another.
@test "backs up and restores runs that are on another file system" {
    [ -w /dev/shm ] || skip "no /dev/shm"
    [ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ] || skip "/dev/shm is no other one"
    other=$(mktemp -d /dev/shm/ap-restore.XXXXXX)
    echo "$other" >other
    export AUTOPACK_RUNS_DIR=$other/runs
    mkdir -p "$AUTOPACK_RUNS_DIR/demo"
    echo old >"$AUTOPACK_RUNS_DIR/demo/file"
    ap-backup -o full.tar.zst
    echo older >"$AUTOPACK_RUNS_DIR/demo/file"
    ap-backup -i full.tar.zst -o next.tar.zst
    echo new >"$AUTOPACK_RUNS_DIR/demo/file"
    touch "$AUTOPACK_RUNS_DIR/demo/later"
    ap-restore -q -i next.tar.zst
    [ "$(cat "$AUTOPACK_RUNS_DIR/demo/file")" = older ]
    [ ! -e "$AUTOPACK_RUNS_DIR/demo/later" ]
    [ ! -e .autonomous_runs/demo/file ]
    grep -rqx new autopack-rollback-* "$other"/autopack-rollback-*
    ap-db check
}

@test "merges the runs of another machine" {
    mkdir ../desktop
    cd ../desktop
    create desk
    ap-exec --quiet --run-id desk
    cd ../state
    ap-backup -o ../laptop.tar.zst
    cd ../desktop
    run --separate-stderr ap-restore -q -i ../laptop.tar.zst --merge
    [ "$status" -eq 0 ]
    [ "$output" = demo ]
    [ "$(runs)" = "demo desk " ]
    ap-db check
    grep -q hello .autonomous_runs/demo/phases/one/attempt-1/*
    run --separate-stderr ap-restore -q -i ../laptop.tar.zst --merge
    [ -z "$output" ]
}

@test "warns of an archive without a manifest, and wants to be told so" {
    tar -czf seed.tar.gz autopack.db .autonomous_runs/demo/phases
    run --separate-stderr ap-restore -q -i seed.tar.gz --to ../copy
    [ "$status" -eq 65 ]
    [[ $stderr == *"--no-manifest"* ]]
    run --separate-stderr ap-restore -q -i seed.tar.gz --no-manifest --to ../copy
    [ "$status" -eq 0 ]
    [[ $stderr == *"nobody can tell"* ]]
    (cd ../copy && [ "$(runs)" = "demo " ])
}

@test "refuses paths that lead out of the state" {
    hostile a.tar.gz 'add("../evil")'
    expect_refused a.tar.gz
    hostile b.tar.gz 'add("/tmp/autopack-evil")'
    expect_refused b.tar.gz
    hostile c.tar.gz 'add("docs/../../evil")'
    expect_refused c.tar.gz
    hostile d.tar.gz 'add("etc/cron.d/evil")'
    expect_refused d.tar.gz
}

@test "refuses links, devices and FIFOs" {
    hostile a.tar.gz 'add("docs/x", b"", type=tarfile.SYMTYPE, linkname="/tmp")'
    expect_refused a.tar.gz
    hostile b.tar.gz 'add("docs/x"); add("docs/y", b"", type=tarfile.LNKTYPE, linkname="docs/x")'
    expect_refused b.tar.gz
    hostile c.tar.gz 'add("docs/x", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)'
    expect_refused c.tar.gz
    hostile d.tar.gz 'add("docs/x", b"", type=tarfile.FIFOTYPE)'
    expect_refused d.tar.gz
}

@test "refuses a path that is there twice, and one below a file" {
    hostile a.tar.gz 'add("docs/x"); add("docs/x")'
    expect_refused a.tar.gz
    hostile b.tar.gz 'add("docs/x"); add("docs/x/y")'
    expect_refused b.tar.gz
}

@test "refuses more than the disk has room for, before it unpacks it" {
    python3 - <<'EOF'
import hashlib, io, json, tarfile
header = {"format": "autopack-backup", "format_version": 1, "id": "a" * 32, "created_at": 1,
          "program": "0", "schema_version": 1, "chain": [],
          "counts": {"runs": 0, "phases": 0, "usage_events": 0, "events": 0, "entries": 1,
                     "left_out": 0, "bytes": 0}}
entry = {"path": "docs/bomb", "size": 1 << 49, "sha256": "0" * 64, "mode": 384, "mtime_ns": 0}
text = (json.dumps(header) + "\n" + json.dumps(entry) + "\n").encode()
archive = tarfile.open("bomb.tar.gz", "w:gz")
member = tarfile.TarInfo("manifest.jsonl")
member.size = len(text)
archive.addfile(member, io.BytesIO(text))
archive.close()
EOF
    run --separate-stderr ap-restore -q -i bomb.tar.gz
    [ "$status" -ne 0 ]
    [ "$(runs)" = "demo " ]
    [ ! -e .autopack-restore-staging ]
}

@test "refuses every cut of an archive" {
    ap-backup -o backup.tar.gz
    size=$(stat -c %s backup.tar.gz)
    picture >../before
    for part in 0 1 2 3 4 5 6 7; do
        head -c $((size * part / 8)) backup.tar.gz >cut.tar.gz
        run --separate-stderr ap-restore -q -i cut.tar.gz
        [ "$status" -eq 65 ]
    done
    picture >../after
    diff ../before ../after
}
