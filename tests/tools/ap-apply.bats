#!/usr/bin/env bats
# ap-apply, as a pipeline uses it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p tree/src
    printf 'one\ntwo\nthree\n' >tree/src/list
    cat >change <<'END'
--- a/src/list
+++ b/src/list
@@ -1,3 +1,3 @@
 one
-two
+zwei
 three
END
}

@test "a diff is applied and told of" {
    run -0 ap-apply -C tree change
    [ "$output" = "src/list: modify, +1 -1
risk: low" ]
    [ "$(sed -n 2p tree/src/list)" = zwei ]
    [ "$(ls -A tree)" = src ]
}

@test "a dry run only says what would happen, and a new file is said to be new" {
    printf 'src/new\n<<<<<<< SEARCH\n=======\none\n>>>>>>> REPLACE\n' > change
    run -0 ap-apply -C tree --dry-run change
    [ "${lines[0]}" = 'src/new: create, +1 -0' ]
    [ ! -e tree/src/new ]
}

@test "a change with one bad hunk leaves everything as it was" {
    cat >>change <<'END'
--- a/src/other
+++ b/src/other
@@ -1 +1 @@
-a
+b
END
    printf 'x\n' >tree/src/other
    run -1 --separate-stderr ap-apply -C tree change
    [ "${lines[1]}" = "src/other: rejected @@ -1 +1 @@ (input line 10): its lines are nowhere in the file" ]
    [ "$stderr" = "ap-apply: nothing was changed" ]
    [ "$(cat tree/src/other)" = x ]
    [ "$(sed -n 2p tree/src/list)" = two ]
}

@test "a rejection names the nearest line" {
    sed -i 's/two/2/' tree/src/list
    run -1 --separate-stderr ap-apply -C tree --json change
    [ "$(jq -c '.rejected[0] | [.path, .hunk, .nearest_line, .expected, .found]' <<<"$output")" = \
        '["src/list","@@ -1,3 +1,3 @@",1,"two","2"]' ]
}

@test "what is out of the scope is refused" {
    run -77 ap-apply -C tree --scope 'docs/**' change
    [ "${lines[0]}" = "src/list: refused: is outside the scope" ]
    run -77 ap-apply -C tree --protect src change
    [ "${lines[0]}" = "src/list: refused: is protected" ]
    run -0 ap-apply -C tree --scope src change
}

@test "links out of the tree are not followed" {
    mkdir outside
    ln -s ../outside tree/away
    run -77 ap-apply -C tree <<<'{"files": [{"path": "away/f", "content": "x"}]}'
    [ "${lines[0]}" = "away/f: refused: leads through a link or out of the tree" ]
    [ -z "$(ls outside)" ]
}

@test "above the risk limit nothing is done" {
    run -85 ap-apply -C tree --risk-limit none change
    [ "${lines[1]}" = "risk: low; an approval is needed" ]
    [ "$(sed -n 2p tree/src/list)" = two ]
}

@test "check says what would happen and does nothing" {
    run -0 ap-apply -C tree --check --json change
    [ "$(jq -c '[.applied, .checked, .files[0].path]' <<<"$output")" = '[false,true,"src/list"]' ]
    [ "$(sed -n 2p tree/src/list)" = two ]
}

@test "a diff can be undone by applying it in reverse" {
    ap-apply -C tree change
    run -0 ap-apply -C tree --reverse change
    [ "$(cat tree/src/list)" = "$(printf 'one\ntwo\nthree')" ]
}

@test "a save point brings the tree back, and not over later work" {
    cp -r tree before
    jq -n '{files: [{path: "src/list", delete: true}, {path: "new/x", content: "x\n"}]}' |
        ap-apply -C tree --save-point saved
    [ ! -e tree/src ]
    echo later >>tree/new/x
    run -1 ap-apply -C tree --rollback saved
    [ "$output" = "ap-apply: 'new/x' is not as the change left it" ]
    [ ! -e tree/src ]
    run -0 ap-apply -C tree --rollback saved --force
    diff -r before tree
}

@test "an input without a change is bad data" {
    run -65 ap-apply -C tree <<<"I cannot do that."
    [[ $output == "ap-apply: expected a diff, SEARCH/REPLACE blocks"* ]]
    head -5 change | run -65 ap-apply -C tree
}

@test "options that are none are named" {
    run -2 ap-apply --format patch change
    [[ ${lines[0]} == "ap-apply: --format: expected auto, diff, files, edits or json, got 'patch'"* ]]
    run -2 ap-apply --risk-limit huge change
    [[ ${lines[0]} == *"expected none, low, medium or high, got 'huge'"* ]]
}

@test "two at once do not mix" {
    exec 7<tree
    flock 7
    run -75 ap-apply -C tree change
    [ "$output" = "ap-apply: 'tree' is in use by another process" ]
}

@test "in a worktree the repository itself stays as it is" {
    git -C tree init -q
    git -C tree add .
    git -C tree -c user.name=a -c user.email=a@b commit -qm first
    run -0 ap-apply -C tree --worktree attempt change
    [ "$(sed -n 2p attempt/src/list)" = zwei ]
    [ "$(sed -n 2p tree/src/list)" = two ]
    run -77 ap-apply -C tree --worktree other --scope docs change
    [ ! -e other ]
    [ "$(git -C tree worktree list | wc -l)" -eq 2 ]
}
