/*
 * Programs that run programs. A grant of a directory does not mean them: whoever may run one of these with any arguments
 * may run anything.
 *
 * They are known by name, in every version and build: `python3.11`, `vim.basic` and `x86_64-linux-gnu-gcc-12` are python,
 * vim and gcc. A name too many costs an operator an exact grant. A program under a name of its own (a copy of a shell) is
 * not known; but the file that a link leads to is looked at as well as the link.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>

#include "policy/internal.h"
#include "util/cleanup.h"

/* In each group sorted; the last one is NULL. */

/* clang-format off */
static const char *const shells[] = {
    "ash", "bash", "csh", "dash", "elvish", "es", "fish", "hush", "ksh", "lksh", "loksh", "mksh", "nu",
    "oksh", "osh", "pdksh", "posh", "pwsh", "rash", "rbash", "rc", "rksh", "rzsh", "sash", "scsh", "sh",
    "slsh", "tcsh", "xonsh", "yash", "ysh", "zsh", NULL};

/* One file that is many programs, a shell among them. */
static const char *const multicall[] = {
    "busybox", "coreutils", "toybox", "ubase-box", NULL};

static const char *const interpreters[] = {
    "R", "Rscript", "awk", "bpftrace", "bun", "clisp", "clojure", "csi", "dc", "deno", "dotnet", "ecl",
    "elixir", "erb", "erl", "escript", "expect", "gawk", "ghc", "ghci", "gjs", "gnuplot", "groovy",
    "guile", "hy", "iex", "ipython", "irb", "java", "jjs", "jruby", "jrunscript", "jshell", "julia",
    "kotlin", "lli", "lua", "luajit", "luatex", "m4", "mawk", "micropython", "mongo", "mongosh", "mono",
    "nawk", "node", "nodejs", "ocaml", "octave", "osascript", "pdb", "perl", "php", "pike", "pry", "py",
    "pypy", "python", "pythonw", "qjs", "quickjs", "r", "racket", "raku", "rscript", "ruby", "runghc",
    "runhaskell", "sbcl", "scala", "scheme", "swift", "swipl", "tclsh", "tsx", "txr", "uwsgi", "wasmtime",
    "wish", "wolfram", NULL};

/* They run what their arguments name: for another user, later, elsewhere, with other limits. */
static const char *const runners[] = {
    "aa-exec", "agetty", "anacron", "at", "atd", "authbind", "batch", "box64", "box86", "bwrap", "bzexe",
    "capsh", "catatonit", "cgexec", "choom", "chpst", "chronic", "chroot", "chrt", "compose", "cpulimit",
    "crictl", "criu", "crontab", "crun", "ctr", "daemonize", "dbus-launch", "dbus-run-session", "doas",
    "docker", "dtach", "dumb-init", "eatmydata", "entr", "env", "envdir", "envuidgid", "fakechroot",
    "fakeroot", "faketime", "find", "firejail", "flatpak", "flock", "genv", "getty", "gfind", "gnice",
    "gnohup", "gosu", "gstdbuf", "gtimeout", "gxargs", "heaptrack", "hyperfine", "i386", "ifne",
    "incrond", "ionice", "ksu", "linux32", "linux64", "login", "logsave", "luit", "lxc", "machinectl",
    "memusage", "mispipe", "multitime", "nerdctl", "newgrp", "nice", "nohup", "nsenter", "numactl",
    "openvt", "pam_exec", "parallel", "pee", "pidstat", "pkexec", "podman", "prlimit", "proot",
    "proxychains", "qemu", "rlwrap", "run-init", "run-mailcap", "run-one", "run-parts", "run0", "runc",
    "runcon", "runit", "runsv", "runuser", "s6", "screen", "script", "scriptlive", "see", "setarch",
    "setlock", "setpriv", "setsid", "setuidgid", "sg", "singularity", "softlimit", "sotruss", "sshpass",
    "start-stop-daemon", "stdbuf", "su", "sudo", "sudoedit", "sulogin", "switch_root", "systemd-cat",
    "systemd-inhibit", "systemd-nspawn", "systemd-run", "systemd-socket-activate", "taskset", "time",
    "timeout", "tini", "tmate", "tmux", "torify", "torsocks", "tsocks", "ttyd", "uclampset", "unbuffer",
    "unshare", "watch", "watchexec", "wine", "x86_64", "xargs", "xdg-open", "xinit", "xvfb-run", "zellij",
    NULL};

/* The loader runs the file it is given, and what is called debugging is running with other eyes. */
static const char *const loaders[] = {
    "catchsegv", "gcore", "gdb", "gdbserver", "ld", "ldd", "lldb", "ltrace", "perf", "rr", "strace",
    "uftrace", "valgrind", NULL};

/* A line of theirs runs a command, or is a program. */
static const char *const editors[] = {
    "cream", "ed", "edit", "elvis", "emacs", "emacsclient", "ex", "gsed", "gvim", "jed", "joe", "kak",
    "micro", "nano", "nvi", "nvim", "pico", "red", "rview", "rvim", "sed", "ssed", "vi", "view", "vigr",
    "vile", "vim", "vimdiff", "vimtutor", "vipw", NULL};

/* Their files are full of commands, or name the programs of their parts. */
static const char *const builders[] = {
    "ansible", "ant", "bazel", "bmake", "bundle", "bundler", "c++", "c89", "c99", "cabal", "cargo", "cc",
    "clang", "clang++", "cmake", "composer", "cpan", "cpp", "ctest", "debuild", "easy_install", "g++",
    "gcc", "gem", "gfortran", "gmake", "go", "gold", "gradle", "helm", "javac", "jdb", "just", "latex",
    "latexmk", "lld", "lualatex", "make", "mk", "mvn", "nasm", "ninja", "nix", "npm", "npx", "opt",
    "pdflatex", "pdftex", "pip", "pipx", "pnpm", "poetry", "puppet", "rake", "rustc", "salt", "samu",
    "scons", "stack", "task", "terraform", "tex", "uv", "uvx", "vagrant", "xelatex", "xetex", "yarn",
    NULL};

/* Other machines, and what is run to reach them (ProxyCommand, --rsh, -e). */
static const char *const connectors[] = {
    "autossh", "curl", "dbclient", "dropbear", "ftp", "kubectl", "lftp", "mosh", "nc", "ncat", "netcat",
    "nmap", "oc", "openvpn", "plink", "pscp", "psftp", "rclone", "restic", "rlogin", "rsh", "rsync",
    "scp", "sftp", "slogin", "socat", "ssh", "sshfs", "tcpdump", "telnet", "tftp", "wget", NULL};

/* An option, a pager, a hook, a script of the package, or a library that it is told to load. */
static const char *const openers[] = {
    "apache2", "apk", "apt", "aptitude", "aria2c", "bat", "batcat", "bsdtar", "busctl", "bzdiff",
    "bzmore", "cpio", "cscope", "cu", "cvs", "darcs", "dbus-daemon", "dbus-send", "debugfs", "dmsetup",
    "dnf", "dpkg", "exiftool", "exim", "fossil", "gdbus", "gio", "git", "gnome-terminal", "gpg", "groff",
    "gtar", "hg", "httpd", "info", "insmod", "install", "ip", "iptables", "kexec", "konsole", "less",
    "lesspipe", "loginctl", "logrotate", "lynx", "mail", "mailx", "man", "mariadb", "mc", "minicom",
    "modprobe", "more", "most", "mpv", "msgexec", "msgfilter", "mutt", "mysql", "nginx", "openssl",
    "opkg", "pacman", "pandoc", "pax", "pg", "picocom", "pinfo", "psql", "rpm", "run-help", "sendmail",
    "service", "slattach", "smbclient", "snap", "sort", "split", "sqlite", "star", "svn", "systemctl",
    "tar", "tig", "troff", "tshark", "unsquashfs", "update-alternatives", "urxvt", "virsh", "vlc", "w3m",
    "xdelta", "xterm", "xxdiff", "yum", "zip", "zless", "zmore", "zypper", NULL};

/* clang-format on */

static const struct {
    enum reglet__program what;
    const char *const *names;
} groups[] = {
    {REGLET__PROGRAM_ANYTHING, shells},       {REGLET__PROGRAM_ANYTHING, multicall},
    {REGLET__PROGRAM_ANYTHING, interpreters}, {REGLET__PROGRAM_ANYTHING, runners},
    {REGLET__PROGRAM_ANYTHING, loaders},      {REGLET__PROGRAM_CALLS, editors},
    {REGLET__PROGRAM_CALLS, builders},        {REGLET__PROGRAM_CALLS, connectors},
    {REGLET__PROGRAM_CALLS, openers},
};

/* Whether a name is that program's, with or without a version or variant behind it. */
static bool is_called(const char *name, const char *program) {
    size_t size = strlen(program);
    if (strncmp(name, program, size) != 0)
        return false;
    char next = name[size];
    return next == '\0' || next == '-' || next == '.' || (next >= '0' && next <= '9');
}

static enum reglet__program look_up(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        for (const char *const *program = groups[i].names; *program; program++) {
            if (is_called(name, *program))
                return groups[i].what;
        }
    }
    return REGLET__PROGRAM_PLAIN;
}

/* What stands before a "-" may be a machine, a distribution's word or a part of the name: each rest is looked up. */
enum reglet__program reglet__program_of(const char *file_name) {
    if (strlen(file_name) > NAME_MAX)
        return REGLET__PROGRAM_ANYTHING; /* no file has such a name */
    enum reglet__program worst = REGLET__PROGRAM_PLAIN;
    for (const char *name = file_name; name;) {
        enum reglet__program what = look_up(name);
        worst = what > worst ? what : worst;
        const char *dash = strchr(name, '-');
        name = dash ? dash + 1 : NULL;
    }
    return worst;
}

bool reglet__runs_programs(const char *file_name) {
    return reglet__program_of(file_name) != REGLET__PROGRAM_PLAIN;
}
