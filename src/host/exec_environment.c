#define _GNU_SOURCE
#include "host/exec_environment.h"

#include <string.h>

#include "util/cleanup.h"

/*
 * Variables that make some program load code or configuration from elsewhere, start other programs, look for files or hosts
 * elsewhere, or write where it would not. Sorted as strcmp() does; with a '*' at the end it is every name that begins so.
 *
 * HOME and XDG_* are among them: they say which ~/.gitconfig, ~/.ssh/config and ~/.vimrc is obeyed, and so, to a plugin that
 * may write some directory, what is run. So does TMPDIR, with the files that programs keep there for themselves, and LANGUAGE,
 * which may be the path of a catalogue of format strings. A program that cannot do without gets them from a script of the
 * operator's.
 */
static const char *const dangerous[] = {
    // clang-format off
    "ACK*", "ACLOCAL*", "AG_*", "ALL_PROXY", "ALSA_*", "ANSIBLE_*", "ANT_*", "APT_*", "AR", "AS", "ASAN_*",
    "ASPELL_CONF", "AUGEAS_*", "AUTOM4TE*", "AWK*", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DATA_PATH",
    "AWS_ENDPOINT_URL*", "AWS_SHARED_CREDENTIALS_FILE", "AZURE_*", "BASHOPTS", "BASH_*", "BAT_*", "BEAM_*",
    "BIBINPUTS", "BORG_*", "BROWSER", "BUILDAH_*", "BUNDLE_*", "BUN_*", "BZIP*", "BZR*", "CABAL_*",
    "CAML*", "CARGO*", "CC", "CCACHE_*", "CDPATH", "CEPH_*", "CFLAGS", "CGO_*", "CLANG_*", "CLASSPATH",
    "CLOUDSDK_*", "CMAKE_*", "COMPILER_PATH", "COMPLUS_*", "CONDA*", "CONTAINERS_*", "CORECLR_*", "COR_*",
    "CPATH", "CPIO*", "CPLUS_INCLUDE_PATH", "CPP", "CPPFLAGS", "CUPS_*", "CURL_*", "CVS*", "CXX",
    "CXXFLAGS", "C_INCLUDE_PATH", "DBUS_*", "DEBCONF_*", "DEBUGGER", "DEBUGINFOD_*", "DENO_*", "DISPLAY",
    "DISTCC_*", "DOCKER_*", "DOTNET_*", "DPKG_*", "DYLD_*", "EDITOR", "EGL_*", "ELECTRON_*", "ELIXIR_*",
    "EMACS*", "ENV", "ERL_*", "EXINIT", "FACTER*", "FAKED_*", "FAKEROOT*", "FCEDIT", "FFREPORT",
    "FLATPAK_*", "FONTCONFIG_*", "FPATH", "FTP_PROXY", "FZF_*", "GAWK*", "GBM_*", "GCC_*", "GCONV_PATH",
    "GCOV_*", "GDAL_*", "GDB*", "GDK_*", "GEM_*", "GETCONF_DIR", "GHC*", "GIO_*", "GIT_*", "GLIBC_*",
    "GNUMAKEFLAGS", "GNUPGHOME", "GNUPLOT*", "GNUTLS_*", "GO*", "GPG*", "GRADLE_*", "GREP_OPTIONS",
    "GROFF_*", "GROOVY_*", "GSETTINGS_*", "GST_*", "GS_*", "GTK*", "GUILE_*", "GZIP", "HDF5_*", "HELM_*",
    "HG*", "HISTFILE", "HOME", "HOSTALIASES", "HTTPS_PROXY", "HTTP_PROXY", "HWASAN_*", "ICU_DATA", "IFS",
    "INPUTRC", "IPTABLES_*", "IRBRC", "JAVA*", "JDK_*", "JRE_*", "JULIA_*", "KDE*", "KOTLIN*", "KRB5*",
    "KSH*", "KUBE*", "LANGUAGE", "LD", "LDAP*", "LDFLAGS", "LD_*", "LESS*", "LIBC_*", "LIBFAKE*",
    "LIBGL_*", "LIBMYSQL_*", "LIBRARY_PATH", "LIBVA_*", "LIBVIRT_*", "LLVM_*", "LOCALDOMAIN", "LOCPATH",
    "LSAN_*", "LTRACE*", "LUA*", "LVM_*", "LXC_*", "LYNX_*", "M4PATH", "MAGIC", "MAGICK_*", "MAIL",
    "MAILCAP*", "MAILER", "MAILRC", "MAKE*", "MALLOC_*", "MANOPT", "MANPAGER", "MANPATH", "MANROFFSEQ",
    "MARIADB_*", "MAVEN_*", "MEMUSAGE_*", "MESA_*", "MFLAGS", "MIBDIRS", "MIX_*", "MODPROBE_OPTIONS",
    "MONO_*", "MORE", "MSAN_*", "MTR_*", "MYSQL_HOME", "NANO*", "NETRC", "NINJA_*", "NIS_PATH", "NLSPATH",
    "NM", "NMAP*", "NODE_*", "NO_PROXY", "NPM_*", "NSS_*", "NVIM*", "OCAML*", "OCL_*", "OCTAVE*", "ODBC*",
    "OPAM*", "OPENBLAS_*", "OPENCL_*", "OPENSC_*", "OPENSSL_*", "ORACLE_HOME", "P11_*", "PACKER_*",
    "PAGER", "PAR_*", "PATH", "PCPROFILE_*", "PERF_*", "PERL*", "PGSERVICEFILE", "PGSSL*", "PGSYSCONFDIR",
    "PHP*", "PINENTRY*", "PIP_*", "PKCS11*", "PKG_*", "PNPM_*", "PODMAN_*", "POETRY_*", "POLKIT*",
    "POSIXLY_CORRECT", "PROFIL_*", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS3", "PS4", "PSMODULEPATH",
    "PSQLRC", "PSQL_*", "PULSE_*", "PYENV_*", "PYTHON*", "QEMU_*", "QML*", "QT*", "RAKE*", "RAKU*",
    "RBENV_*", "RCLONE_*", "REDISCLI_*", "REQUESTS_CA_BUNDLE", "RESOLV_*", "RESTIC_*", "RES_OPTIONS",
    "RIPGREP_CONFIG_PATH", "RPM_*", "RSYNC_*", "RUBY*", "RUST*", "R_*", "SASL_*", "SBT_*", "SCALA*",
    "SCHEME*", "SCREENRC", "SEGFAULT_*", "SHELL", "SHELLOPTS", "SNMP*", "SOCKS_*", "SQLITE_*", "SSH_*",
    "SSLKEYLOGFILE", "SSL_*", "STACK_*", "STRACE*", "SUDO_*", "SVN_*", "SYSSCREENRC", "SYSTEMD_*",
    "TAR_OPTIONS", "TCL*", "TC_LIB_DIR", "TEMP", "TEMPDIR", "TERMCAP", "TERMINFO", "TERMINFO_DIRS",
    "TERMPATH", "TEXINPUTS", "TEXMF*", "TF_*", "TK_LIBRARY", "TMP", "TMPDIR", "TMUX*", "TNS_ADMIN",
    "TPM2*", "TSAN_*", "TZDIR", "UBSAN_*", "UNZIP*", "UV_*", "VAGRANT_*", "VALGRIND_*", "VDPAU_*", "VIM*",
    "VIRTUAL_ENV*", "VISUAL", "VK_*", "WAYLAND_*", "WGETRC", "WIRESHARK_*", "XDG_*", "XTABLES_*", "XZ_*",
    "YARN_*", "ZDOTDIR", "ZIP", "ZIPOPT", "ZSH*", "ZSTD_*", "_JAVA_*", "__*",
    // clang-format on
};

const char *const *reglet__exec_dangerous(size_t *count) {
    *count = ARRAY_LEN(dangerous);
    return dangerous;
}

bool reglet__exec_is_dangerous(const char *name, size_t size) {
    for (size_t i = 0; i < ARRAY_LEN(dangerous); i++) {
        size_t length = strlen(dangerous[i]);
        bool is_prefix = dangerous[i][length - 1] == '*';
        length -= is_prefix;
        if ((is_prefix ? size >= length : size == length) && strncasecmp(name, dangerous[i], length) == 0)
            return true;
    }
    return false;
}

size_t reglet__exec_name_size(const char *variable) {
    const char *equals = strchr(variable, '=');
    return equals ? (size_t)(equals - variable) : 0;
}

static bool same_name(const char *a, const char *b) {
    size_t size = reglet__exec_name_size(a);
    return size == reglet__exec_name_size(b) && memcmp(a, b, size) == 0;
}

/* Programs do not agree on which of two values counts. */
static bool is_set_again(const char *variable, const char *const *rest, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (same_name(variable, rest[i]))
            return true;
    return false;
}

size_t reglet__exec_filter(const char **variables, size_t count,
                           void (*dropped)(void *user_data, const char *name, size_t size), void *user_data) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = reglet__exec_name_size(variables[i]);
        if (reglet__exec_is_dangerous(variables[i], size))
            dropped(user_data, variables[i], size);
        else if (!is_set_again(variables[i], variables + i + 1, count - i - 1))
            variables[kept++] = variables[i];
    }
    variables[kept] = NULL;
    return kept;
}
