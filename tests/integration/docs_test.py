#!/usr/bin/env python3
"""What the documentation says is what the source does: errors and names of host functions, and a policy that does no I/O."""
import errno
import glob
import os
import re
import unittest

SOURCE = os.environ["REGLET_SOURCE"]
# What a response may say about an error's kind; plugins of the field know these.
TYPES = {"network", "timeout", "config", "capability", "ssrf_protection", "validation", "execution", "exec", "panic",
         "internal"}
CODE = re.compile(r"\bE[A-Z0-9_]{2,}\b")


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def sources():
    """The files of src/host, but for the table of variables, some of which look like codes."""
    paths = glob.glob("src/host/*.c", root_dir=SOURCE)
    return {path: read(path) for path in sorted(paths) if not path.endswith("exec_environment.c")}


def documented():
    """The pairs of type and code, and the types whose row takes any errno: it ends in an ellipsis."""
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.*?) \|", read("docs/host-functions.md").split("## Errors")[1])
    return {(kind, code) for kind, codes in rows for code in CODE.findall(codes)}, {k for k, c in rows if "…" in c}


class Errors(unittest.TestCase):
    def test_every_literal_pair_has_its_row(self):
        pairs, _ = documented()
        for path, text in sources().items():
            calls = re.findall(r'(?:host_fail|host_fail_not_found|\(struct kind\)\{)[^;"]*?"(\w+)",\s*"(E\w+)"', text)
            for pair in calls + [(kind, "ETIMEDOUT") for kind in re.findall(r'host_fail_timeout\([^;"]*?"(\w+)"', text)]:
                self.assertIn(pair, pairs, path)

    def test_every_code_is_somewhere_in_the_table(self):
        codes = {code for _, code in documented()[0]}
        for path, text in sources().items():
            for code in re.findall(r'"(E[A-Z0-9]{2,})"', text):
                self.assertIn(code, codes, path)

    def test_types_that_answer_an_errno_say_so(self):
        _, open_ended = documented()
        for path, text in sources().items():
            for kind in re.findall(r'host_fail_errno\([^;"]*?"(\w+)"', text):
                self.assertIn(kind, open_ended, path)

    def test_the_table_has_no_code_that_nothing_answers(self):
        text = "".join(sources().values())
        for kind, code in documented()[0]:
            self.assertIn(kind, TYPES)
            if code not in errno.errorcode.values():
                self.assertIn(f'"{code}"', text)


class Functions(unittest.TestCase):
    def test_every_function_has_its_section(self):
        table = read("docs/host-functions.md").split("## Requests")[0]
        names = set(re.findall(r'"([a-z_]+)"', read("src/host/imports.c"))) - {"reglet_host"}
        self.assertGreater(len(names), 12)
        for name in names:
            self.assertIn(f"`{name}`", table)


class Components(unittest.TestCase):
    """docs/components.md has every type of the interface, and what of WASI there is."""

    def setUp(self):
        self.page, self.wit = read("docs/components.md"), read("wit/plugin-1.1.0.wit")

    def test_every_type_and_function_is_there(self):
        wit = re.sub(r"//.*", "", self.wit)
        types = re.findall(r"(?m)^ *(?:record|variant|enum) ([a-z-]+)", wit)
        functions = re.findall(r"(?m)^ *([a-z-]+): func\(", wit)
        self.assertGreater(len(types), 30)
        for name in types + functions:
            self.assertTrue(re.search(rf"[`(<]{name}[`(>:,)]", self.page), name)

    def test_every_error_of_the_host_has_its_row(self):
        cases = re.search(r"variant host-error \{(.*?)\n    \}", self.wit, re.S).group(1)
        rows = self.page.split("### Errors of the host")[1].split("## WASI")[0]
        self.assertEqual(set(re.findall(r"(?m)^        ([a-z-]+)[(,]", cases)), set(re.findall(r"(?m)^\| `([a-z-]+)` \|", rows)))

    def test_every_interface_of_wasi_has_its_row(self):
        known = re.findall(r'\("(wasi:[a-z/-]+)", define', read("engine/src/wasi.rs"))
        self.assertGreater(len(known), 20)
        rows = self.page.split("## WASI 0.2")[1].split("Anything else is refused")[0]
        for name in known:
            package, interface = name.split("/")
            listed = any(f"`{package}/" in row and re.search(rf"[`/]({interface}|{interface.split('-')[0]}-\*|\*)`", row)
                         for row in rows.splitlines())
            self.assertTrue(listed, name)


class Policy(unittest.TestCase):
    """A decision is made of grants and request alone."""

    HEADERS = {"arpa/inet.h", "limits.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
               "stdlib.h", "string.h"}
    # What those headers have that reaches outside.
    OUTSIDE = re.compile(r"\b(f?open(at)?|f?printf|f?put[cs]|puts|perror|f?getenv|secure_getenv|remove|rename|system|popen|tmpfile)\(")

    def test_the_room_does_no_io(self):
        paths = glob.glob("src/policy/*.[ch]", root_dir=SOURCE)
        self.assertGreater(len(paths), 10)
        for path in paths:
            text = read(path)
            for header in re.findall(r"#include <([^>]*)>", text):
                self.assertTrue(header in self.HEADERS or header.startswith("reglet/"), f"{path} includes {header}")
            for header in re.findall(r'#include "([^"]*)"', text):
                self.assertRegex(header, "^(policy|util)/", path)
                self.assertNotIn(header, ["util/sys.h", "util/interrupt.h", "util/clock.h"], path)
            self.assertIsNone(self.OUTSIDE.search(text), path)


if __name__ == "__main__":
    unittest.main()
