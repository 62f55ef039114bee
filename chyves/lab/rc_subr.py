"""The lab's /etc/rc.subr: what rc.d scripts need of rc.subr(8), for /bin/sh.

Written from rc.subr(8): `load_rc_config`, `checkyesno`, `run_rc_command` with its `one`, `force`, `fast` and `quiet`
prefixes, `NAME_cmd`, `NAME_precmd`, `NAME_postcmd`, `required_*`, `pidfile`, `extra_commands`. Words after the command
are given to `NAME_cmd`.
"""

from __future__ import annotations

TEXT = """\
# Functions for rc.d scripts, as rc.subr(8) describes them.

info() { echo "$0: INFO: $*"; }
warn() { echo "$0: WARNING: $*" >&2; }
err() { _status=$1; shift; echo "$0: ERROR: $*" >&2; exit "$_status"; }
debug() { :; }

checkyesno() {
    eval "_value=\\"\\${$1}\\""
    case $_value in
    [Yy][Ee][Ss] | [Tt][Rr][Uu][Ee] | [Oo][Nn] | 1) return 0 ;;
    [Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff] | 0) return 1 ;;
    esac
    warn "\\$$1 is not set properly - see rc.conf(5)."
    return 1
}

set_rcvar() { echo "${1:-$name}_enable"; }

load_rc_config() {
    for _file in /etc/rc.conf /etc/rc.conf.local "/etc/rc.conf.d/$1" "/usr/local/etc/rc.conf.d/$1"; do
        if [ -r "$_file" ]; then . "$_file"; fi
    done
}

load_kld() {
    _module='' OPTIND=1
    while getopts e:m: _option; do
        case $_option in
        m) _module=$OPTARG ;;
        *) ;;
        esac
    done
    shift $((OPTIND - 1))
    kldstat -qm "${_module:-$1}" || kldload "$1" || warn "Unable to load kernel module $1"
}

check_pidfile() {
    [ -r "$1" ] || return
    read -r _pid _ <"$1"
    if kill -0 "$_pid" 2>/dev/null; then echo "$_pid"; fi
}

wait_for_pids() {
    for _pid; do
        while kill -0 "$_pid" 2>/dev/null; do sleep 0.2; done
    done
}

_requirements() {
    for _variable in $required_vars; do
        if ! checkyesno "$_variable"; then warn "\\$$_variable is not enabled."; [ -n "$rc_force" ] || return 1; fi
    done
    for _directory in $required_dirs; do
        if [ ! -d "$_directory" ]; then warn "$_directory is not a directory."; [ -n "$rc_force" ] || return 1; fi
    done
    for _file in $required_files; do
        if [ ! -r "$_file" ]; then warn "$_file is not readable."; [ -n "$rc_force" ] || return 1; fi
    done
    for _entry in $required_modules; do
        load_kld -m "${_entry#*:}" "${_entry%%:*}"
    done
}

_default_cmd() {
    case $1 in
    start)
        [ -n "$rc_quiet" ] || echo "Starting ${name}."
        eval "$command $command_args \\$${name}_flags"
        ;;
    stop)
        if [ -z "$rc_pid" ]; then
            [ -n "$rc_fast" ] || echo "${name} not running?"
            return 0
        fi
        echo "Stopping ${name}."
        kill "-${sig_stop:-TERM}" "$rc_pid" && wait_for_pids "$rc_pid"
        ;;
    status)
        if [ -n "$rc_pid" ]; then echo "${name} is running as pid ${rc_pid}."; return 0; fi
        echo "${name} is not running."
        return 1
        ;;
    restart)
        (run_rc_command "${_rc_prefix}stop" $rc_extra_args)
        (run_rc_command "${_rc_prefix}start" $rc_extra_args)
        ;;
    extracommands) echo "$extra_commands" ;;
    rcvar) eval "echo \\"${rcvar}=\\\\\\"\\${${rcvar}}\\\\\\"\\"" ;;
    enabled) checkyesno "$rcvar" ;;
    enable) sysrc "${rcvar}=YES" ;;
    disable) sysrc "${rcvar}=NO" ;;
    describe) echo "$desc" ;;
    *) return 2 ;;
    esac
}

run_rc_command() {
    rc_arg=$1
    shift
    rc_extra_args=$*
    rc_fast='' rc_force='' rc_quiet='' _one='' _rc_prefix=''
    case $rc_arg in
    fast*) rc_fast=yes rc_quiet=yes rc_arg=${rc_arg#fast} ;;
    force*) rc_force=yes _rc_prefix=force rc_arg=${rc_arg#force} ;;
    one*) _one=yes _rc_prefix=one rc_arg=${rc_arg#one} ;;
    quiet*) rc_quiet=yes _rc_prefix=quiet rc_arg=${rc_arg#quiet} ;;
    esac
    eval "command=\\"\\${${name}_program:-$command}\\""
    _known="start stop restart status rcvar enable disable enabled describe extracommands ${extra_commands}"
    case " $_known " in
    *" $rc_arg "*) ;;
    *)
        echo "$0: unknown directive '$rc_arg'." >&2
        echo "Usage: $0 [fast|force|one|quiet](start|stop|restart|rcvar|enable|disable|enabled|describe|status)" >&2
        exit 1
        ;;
    esac
    rc_pid=''
    if [ -n "$pidfile" ]; then rc_pid=$(check_pidfile "$pidfile"); fi
    case $rc_arg in
    start | stop | restart)
        if [ -n "$rcvar" ] && [ -z "$_one$rc_force" ] && ! checkyesno "$rcvar"; then
            [ -n "$rc_quiet" ] || echo "Cannot '$rc_arg' $name. Set $rcvar to YES in /etc/rc.conf" \\
                "or use 'one$rc_arg' instead of '$rc_arg'."
            return 0
        fi
        ;;
    esac
    if [ "$rc_arg" = start ]; then _requirements || return 1; fi
    eval "_cmd=\\"\\${${rc_arg}_cmd}\\" _pre=\\"\\${${rc_arg}_precmd}\\" _post=\\"\\${${rc_arg}_postcmd}\\""
    if [ -n "$_pre" ]; then eval "$_pre" || [ -n "$rc_force" ] || return 1; fi
    if [ -n "$_cmd" ]; then eval "$_cmd $rc_extra_args"; else _default_cmd "$rc_arg"; fi
    _return=$?
    if [ "$_return" -eq 0 ] && [ -n "$_post" ]; then eval "$_post"; _return=$?; fi
    return "$_return"
}
"""
