# Completion of reglet(1) for bash.

_reglet_command() { # the command among the words before the cursor
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        describe | schema | inspect | grants | observe | batch | run | redact | cache | new | wit | version | help)
            echo "${COMP_WORDS[i]}"
            return
            ;;
        esac
    done
}

_reglet_modules() { # directories and *.wasm
    compopt -o filenames 2>/dev/null
    local name
    while IFS= read -r name; do
        [[ -d $name || $name == *.wasm ]] && COMPREPLY+=("$name")
    done < <(compgen -f -- "$1")
}

_reglet_has_action() { # of the cache
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == @(list|prune|clear|path) ]] && return 0
    done
    return 1
}

_reglet_has_module() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == *.wasm ]] && return 0
    done
    return 1
}

_reglet() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command common plugins options
    command=$(_reglet_command)
    common='--name --grant --audit --config --ca-file --nameserver --timeout --memory-limit --compiler --cache-dir --no-cache --log-format
        --quiet --verbose --help'
    plugins="$common --fresh-init --format"
    COMPREPLY=()

    case $previous in
    --format)
        mapfile -t COMPREPLY < <(compgen -W 'json table' -- "$word")
        return
        ;;
    --compiler)
        mapfile -t COMPREPLY < <(compgen -W 'auto fast optimizing' -- "$word")
        return
        ;;
    --audit | --config | --values | --metrics | --ca-file | --rules-file | --secret-file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --lang)
        mapfile -t COMPREPLY < <(compgen -W 'c go js python' -- "$word")
        return
        ;;
    --log-format)
        mapfile -t COMPREPLY < <(compgen -W 'json text' -- "$word")
        return
        ;;
    --secret-env)
        mapfile -t COMPREPLY < <(compgen -e -- "$word")
        return
        ;;
    --dir | --cache-dir)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --grant | --ask)
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W 'fs:read: fs:write: env: network:outbound: exec: kv:read: kv:write:' -- "$word")
        return
        ;;
    --name | --nameserver | --jobs | -j | --timeout | --memory-limit | --env | --older-than | --max-size | --pattern | --path)
        return
        ;;
    esac

    case $command in
    describe | schema | inspect) options=$plugins ;;
    grants) options="$plugins --ask --suggest" ;;
    observe) options="$plugins --values --record --record-secrets --replay --check --explain --learn" ;;
    batch)
        options="${plugins/--name /} --check --jobs --ordered --metrics"
        options=${options/--format /}
        ;;
    run) options="$common --env --dir" ;;
    redact)
        options='--pattern --path --secret-env --secret-file --rules-file --json --list-rules --config --format --quiet
            --verbose --help'
        ;;
    cache) options='--cache-dir --older-than --max-size --format --help' ;;
    new) options='--lang --help' ;;
    version) options='--format --help' ;;
    wit | help) options='--help' ;;
    *) options='--help --version' ;;
    esac

    if [[ $command == run ]] && _reglet_has_module; then
        compopt -o filenames 2>/dev/null # what follows belongs to the module
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ -z $command || $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'describe schema inspect grants observe batch run redact cache new wit version help' -- "$word")
    elif [[ $command == cache ]]; then
        _reglet_has_action || mapfile -t COMPREPLY < <(compgen -W 'list prune clear path' -- "$word")
    elif [[ $command == wit ]]; then
        [[ ${COMP_WORDS[COMP_CWORD - 1]} != wit ]] || mapfile -t COMPREPLY < <(compgen -W '1.1.0 1.0.0' -- "$word")
    elif [[ $command == batch || $command == redact ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $command != version && $command != new ]] && ! _reglet_has_module; then
        _reglet_modules "$word"
    fi
}

complete -F _reglet reglet
