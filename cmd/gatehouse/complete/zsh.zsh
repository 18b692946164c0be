#compdef gatehouse
compdef _gatehouse gatehouse
# Completion of gatehouse for zsh. Words are passed as they are: none of them is evaluated.
_gatehouse() {
    local program=${${(Q)words[1]}/#\~\//$HOME/} begun=$PREFIX line directive
    local -i widest=0
    local -a before lines found shown ending
    before=("${(@Q)words[2,CURRENT-1]}")
    [[ $compstate[quote] == "'" ]] || begun=${(Q)begun}
    lines=("${(@f)$(command "$program" __complete "${before[@]}" "$begun" 2>/dev/null)}")
    directive=${lines[-1]#:}
    [[ $directive == <-> ]] || return 1
    lines=("${(@)lines[1,-2]}")
    found=("${(@)lines%%$'\t'*}")
    for line in $found; do
        (( $#line > widest )) && widest=$#line
    done
    for line in $lines; do
        [[ $line != *$'\t'* ]] || line="${(r:widest:)${line%%$'\t'*}}  ${line#*$'\t'}"
        shown+=("$line")
    done
    (( directive & 1 )) && return 1
    (( directive & 2 )) && ending=(-S '')
    compset -P '-*='
    if (( $#found )); then
        compadd -l "${ending[@]}" -d shown -a found
    elif (( directive & 16 )); then
        _files -/
    elif (( ! (directive & 4) )); then
        _files
    else
        return 1
    fi
}
# Loaded from a folder, this file is the function itself.
[[ $funcstack[1] == _gatehouse ]] && _gatehouse
