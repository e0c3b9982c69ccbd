# Completes anthill in fish. This line installs it:
#
#     anthill completion fish > ~/.config/fish/completions/anthill.fish

function __anthill
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c anthill -a '(__anthill)'
