#!/usr/bin/zsh -f
# Prints what zsh would offer for a line, one word a line: complete.zsh SCRIPT LINE
# The completion runs in a shell of its own on a pseudo-terminal, as it does for people;
# compadd is replaced there by one that prints what it is given.
zmodload zsh/zpty
zpty shell zsh -f -i
prepare="
PROMPT=
autoload -Uz compinit && compinit -D -u
autoload -Uz -- ${(q)1}
compdef ${1:t} \${=\$(sed -n '1s/^#compdef //p' ${(q)1})}
bindkey '^I' complete-word
null-line() { print -r -- '@''done@'; exit }
compprefuncs=(null-open) comppostfuncs=(null-line)
null-open() { print -r -- '@''start@' }
compadd() {
    if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd \"\$@\"; return; fi
    typeset -a found
    builtin compadd -A found \"\$@\"
    print -rl -- \"@\"\"word@\"\$^found
}
"
setopt rcquotes
print -r -- $prepare >$TMPPREFIX.$$
zpty -w shell "source $TMPPREFIX.$$; print '@''ready@'"
zpty -r shell output '*@ready@*'
zpty -w -n shell "$2"$'\t'
zpty -r shell output '*@done@*'
rm -f $TMPPREFIX.$$
print -r -- $output | tr -d '\r' | sed -n 's/^@word@//p' | sort -u
