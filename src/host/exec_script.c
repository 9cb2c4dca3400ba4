#include "host/exec_script.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#elif defined(__riscv)
enum { MACHINE = EM_RISCV };
#elif defined(__s390x__)
enum { MACHINE = EM_S390 };
#else
#error "which e_machine have this machine's programs?"
#endif

enum {
    CLASS = __ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32,
    BYTE_ORDER_OF_DATA = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB
};

static enum reglet__exec_kind kind_of_elf(const char *head, size_t size) {
    ElfW(Ehdr) header;
    if (size < sizeof header)
        return REGLET__EXEC_FOREIGN;
    memcpy(&header, head, sizeof header);
    return header.e_ident[EI_CLASS] == CLASS && header.e_ident[EI_DATA] == BYTE_ORDER_OF_DATA &&
                   header.e_machine == MACHINE && (header.e_type == ET_EXEC || header.e_type == ET_DYN)
               ? REGLET__EXEC_PROGRAM
               : REGLET__EXEC_FOREIGN;
}

enum reglet__exec_kind reglet__exec_kind(const char *head, size_t size) {
    if (size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
        return kind_of_elf(head, size);
    return size >= 2 && memcmp(head, "#!", 2) == 0 ? REGLET__EXEC_SCRIPT : REGLET__EXEC_OTHER;
}

/*
 * As the kernel's load_script() does it, but for one thing: a line that is too long is refused, where the kernel would run
 * the interpreter with half an argument.
 */
const char *reglet__exec_script_parse(const char *head, size_t size, struct reglet__exec_script *out) {
    static const char blanks[] = " \t";
    const char *end = memchr(head, '\n', size);
    if (!end && size >= REGLET__EXEC_HEAD)
        return "its first line is longer than 255 bytes";
    size_t length = (end ? (size_t)(end - head) : size) - 2;
    if (memchr(head + 2, '\0', length))
        return "its first line has a NUL in it";
    memcpy(out->line, head + 2, length);
    while (length > 0 && strchr(blanks, out->line[length - 1]))
        length--;
    out->line[length] = '\0';
    char *interpreter = out->line + strspn(out->line, blanks);
    char *argument = interpreter + strcspn(interpreter, blanks);
    if (*argument != '\0') {
        *argument++ = '\0';
        argument += strspn(argument, blanks);
    }
    out->interpreter = interpreter;
    out->argument = *argument ? argument : NULL;
    return *interpreter == '/' ? NULL : "its interpreter is not an absolute path";
}
