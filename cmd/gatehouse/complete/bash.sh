# Completion of gatehouse for bash 3.2 and newer. It needs no other package.
_gatehouse() {
    local directive= line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $directive ]]; then
            directive=$line
        else
            COMPREPLY+=("$line")
        fi
    done < <(command "${COMP_WORDS[0]}" __bash -- "$COMP_TYPE" "$COMP_WORDBREAKS" \
        "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    directive=${directive:-4}
    if ((directive & 2)); then
        compopt -o nospace 2>/dev/null
    fi
    if ((directive & 4)); then
        compopt +o default 2>/dev/null
    fi
}
complete -o default -F _gatehouse gatehouse
