# Sourced by the lint tests. Reads what a tool says of its command line, from --help and
# from its page, as sorted lines that can be compared.

page_of() # TOOL: its manual page, of section 1 or 8
{
    for page in "$AP_SOURCE/man/$1.1" "$AP_SOURCE/man/$1.8"; do
        if [ -e "$page" ]; then
            echo "$page"
            return
        fi
    done
    echo "no man/$1.1 or man/$1.8" >&2
    return 1
}

help_options() # TOOL: lines "-x --long ARG", without what there is not
{
    "$AP_TOOLS/$1" --help | awk '
        /^[a-z]+:$/ { section = $1 }
        section == "options:" && /^  (-|    --)/ {
            sub(/^ +/, ""); sub(/  .*/, ""); sub(/,/, ""); sub(/=/, " "); print
        }' | sort
}

help_verbs() # TOOL
{
    "$AP_TOOLS/$1" --help | awk '
        /^[a-z]+:$/ { section = $1 }
        section == "verbs:" && /^  [^ ]/ { print $1 }' | sort
}

# Lines of a section of a page's source, without the mdoc escapes \- and \&.
page_section() # PAGE SECTION
{
    awk -v wanted="$2" '
        /^\.Sh / { inside = (substr($0, 5) == wanted); next }
        inside { gsub(/\\-/, "-"); gsub(/\\&/, ""); print }' "$1"
}

page_options() # PAGE: the options that have an entry, as help_options prints them
{
    page_section "$1" DESCRIPTION | awk '
        /^\.It Fl / {
            line = ""
            for (i = 2; i <= NF; i++) {
                if ($i == "Fl") {
                    i++
                    line = line " -" $i
                } else if ($i == "Ar") {
                    i++
                    line = line " " $i
                }
            }
            print substr(line, 2)
        }' | sort
}

page_entries() # PAGE: the first words of entries that begin with .Cm
{
    page_section "$1" DESCRIPTION | awk '/^\.It Cm / { print $3 }' | sort
}

page_synopsis() # PAGE MACRO: the words marked by MACRO (Cm, Fl) in the synopsis
{
    page_section "$1" SYNOPSIS | awk -v macro="$2" '
        {
            inside = 0
            for (i = 1; i <= NF; i++) {
                word = $i
                sub(/^\./, "", word)
                if (word == macro) {
                    inside = 1
                } else if (word ~ /^(Ar|Cm|Fl|Nm|Op|Oc|Oo|Xo|Ns|No)$/) {
                    inside = 0
                } else if (inside && word ~ /^[a-zA-Z0-9-]+$/) {
                    print word
                }
            }
        }' | sort -u
}

# Compares two texts that should be equal, and says how they differ.
same() # WHAT NAME-OF-FIRST FIRST NAME-OF-SECOND SECOND
{
    [ "$3" != "$5" ] || return 0
    echo "$1: $2 (-) and $4 (+) differ:"
    # shellcheck disable=SC3001
    diff <(printf '%s\n' "$3") <(printf '%s\n' "$5") | sed -n 's/^</-/p; s/^>/+/p'
    return 1
}
