# Completion of gatehouse for fish. Words are passed as they are: none of them is evaluated.
function __gatehouse_complete
    set -l words (commandline -opc)
    set -l begun (commandline -ct)
    set -l plain (string unescape -- $begun)
    if test (count $plain) -ne 1
        set plain (string unescape -- (string replace -r '^["\']' '' -- $begun))
    end
    if test (count $plain) -ne 1
        set plain (string replace -r '^["\']' '' -- $begun)
    end
    set -l flag (string match -r -- '^-[^=]*=' "$plain")
    for line in (command $words[1] __complete $words[2..-1] "$plain" 2>/dev/null)
        if not string match -qr '^:[0-9]+$' -- $line
            printf "%s\n" "$flag"$line
        else if test "$line" = ":0"
            __fish_complete_path "$plain"
        end
    end
end
complete -c gatehouse -e
complete -c gatehouse -f -a '(__gatehouse_complete)'
