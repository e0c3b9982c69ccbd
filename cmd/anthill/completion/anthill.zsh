#compdef anthill
# Completes anthill in zsh. This line in ~/.zshrc, behind compinit, installs it:
#
#     source <(anthill completion zsh)

_anthill() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
compdef _anthill anthill
