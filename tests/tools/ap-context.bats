#!/usr/bin/env bats
# ap-context: what a builder sees.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p r/src
    git -C r init -q
    echo 'int add(int a, int b) { return a + b; }' >r/src/add.c
    echo '# read me' >r/README.md
}

@test "the text has the scope's files, then a map" {
    run -0 ap-context -C r --scope src
    [ "$output" = "## Files that may be changed

FILE: src/add.c
\`\`\`
int add(int a, int b) { return a + b; }
\`\`\`

## Repository map

README.md
src/add.c
  1 function add(int a,int b)" ]
}

@test "why names each choice" {
    run -0 ap-context -C r --scope src --read README.md --budget 40 --why
    [ "$(sed -E 's/[0-9]+/N/g; s/ +/ /g' <<<"${lines[0]}")" = "SCORE TOKENS KIND IN PATH WHY" ]
    [[ ${lines[1]} == *" scope "*" no "*"src/add.c"*"does not fit: "* ]]
}

@test "json has both" {
    run -0 ap-context -C r --scope src --json
    [ "$(jq -c '[.items[0].path, .items[0].included, (.text | length > 50)]' <<<"$output")" = \
        '["src/add.c",true,true]' ]
}

@test "without ctags the map has names alone, and there is a warning" {
    mkdir bin
    ln -s "$(command -v git)" "$(command -v env)" bin
    run -0 --separate-stderr env "PATH=$PWD/bin" "$(command -v ap-context)" -C r --scope src
    [[ $stderr == "ap-context: the repository map has names alone: "* ]]
    [[ $output == *"## Repository map

README.md
src/add.c" ]]
}
