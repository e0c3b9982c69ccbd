# Completes anthill in bash. This line in ~/.bashrc installs it:
#
#     source <(anthill completion bash)

_anthill() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _anthill anthill
