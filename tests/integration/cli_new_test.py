"""`reglet new`: what it writes, what it refuses, and that a plugin in C builds and observes at once, as a module and as a component.

CTest sets REGLET, REGLET_SOURCE, REGLET_CLANG (the compiler of guests) and REGLET_COMPONENT (the tool that makes components).
"""

import os
import re
import subprocess
import tempfile
import unittest

REGLET = os.environ["REGLET"]
SOURCE = os.environ["REGLET_SOURCE"]
LANGUAGES = ["c", "go", "js", "python"]


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


class NewTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="reglet-new-")
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def reglet(self, *arguments):
        return subprocess.run([REGLET, *arguments], cwd=self.scratch, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)

    def files(self, folder):
        return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


class Written(NewTest):
    def test_each_language_has_its_files_with_the_name_in_them(self):
        for language in LANGUAGES:
            done = self.reglet("new", "--lang", language, f"my-{language}")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"cd my-{language} && make test", done.stdout)
            folder = os.path.join(self.scratch, f"my-{language}")
            files = self.files(folder)
            self.assertLessEqual({"Makefile", "README.md", ".gitignore", "test.sh", "test/sample.conf"}, files)
            for name in files:
                self.assertNotIn("@NAME@", read(folder, name), name)
            self.assertIn(f"my-{language}.wasm", read(folder, "Makefile"))

    def test_files_of_the_source_are_written_as_they_are(self):
        self.reglet("new", "--lang", "c", "x")
        for name in os.listdir(os.path.join(SOURCE, "sdk/c")):
            if name.endswith((".c", ".h")):
                self.assertEqual(read(self.scratch, "x/sdk", name), read(SOURCE, "sdk/c", name), name)
        self.assertEqual(read(self.scratch, "x/wit/plugin.wit"), read(SOURCE, "wit/plugin-1.1.0.wit"))
        self.assertEqual(read(self.scratch, "x/test.sh"), read(SOURCE, "sdk/templates/common/test.sh"))

    def test_a_link_in_the_way_is_not_followed(self):
        os.symlink("elsewhere", os.path.join(self.scratch, "x"))
        self.assertEqual(self.reglet("new", "--lang", "c", "x").returncode, 3)
        self.assertEqual(os.listdir(self.scratch), ["x"])


class Refused(NewTest):
    def refused(self, code, message, *arguments):
        done = self.reglet("new", *arguments)
        self.assertEqual((done.returncode, done.stdout), (code, ""), arguments)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn(message, done.stderr)

    def test_names_that_are_none(self):
        for name in ["", "a/b", "../a", "a b", "-a", "a-", "1a", "a_b", "a.b", "\u00e4", "a" * 65]:
            self.refused(2, "a plugin's name is", "--lang", "c", "--", name)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_languages_that_are_not_there_or_missing(self):
        self.refused(2, "there are c, go, js, python", "--lang", "cobol", "x")
        self.refused(2, 'did you mean "python"?', "--lang", "pyton", "x")
        self.refused(2, "--lang is missing; there are c, go, js, python", "x")
        self.refused(2, "NAME is missing", "--lang", "c")
        self.refused(2, "one argument too many", "--lang", "c", "x", "y")
        self.assertEqual(os.listdir(self.scratch), [])

    def test_nothing_is_written_over(self):
        for thing in ["folder", "file"]:
            path = os.path.join(self.scratch, thing)
            if thing == "folder":
                os.mkdir(path)
            else:
                with open(path, "w", encoding="utf-8") as file:
                    file.write("mine")
            self.refused(3, "nothing is written over", "--lang", "c", thing)
        self.assertEqual(os.listdir(os.path.join(self.scratch, "folder")), [])
        self.assertEqual(read(self.scratch, "file"), "mine")

    def test_a_folder_that_cannot_be_made(self):
        gone = os.path.join(self.scratch, "gone")
        os.mkdir(gone)
        done = subprocess.run(["sh", "-c", 'cd gone && rmdir ../gone && "$1" new --lang c x', "sh", REGLET], cwd=self.scratch,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("cannot make the folder x: No such file or directory", done.stderr)


class InC(NewTest):
    def test_it_builds_and_observes_as_a_module_and_as_a_component(self):
        self.reglet("new", "--lang", "c", "first")
        done = subprocess.run(["make", f"CLANG={os.environ['REGLET_CLANG']} -Werror", f"REGLET={REGLET}",
                               f"REGLET_COMPONENT={os.environ['REGLET_COMPONENT']}", "test", "test-component"],
                              cwd=os.path.join(self.scratch, "first"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("first.wasm is well", done.stdout)
        self.assertIn("first.component.wasm is well", done.stdout)


class Documentation(NewTest):
    """docs/writing-plugins.md, whose commands are run as they stand there."""

    def setUp(self):
        super().setUp()
        self.text = read(SOURCE, "docs/writing-plugins.md")
        tools = os.path.join(self.scratch, "bin")
        os.mkdir(tools)
        for name, path in [("reglet", REGLET), ("reglet-component", os.environ["REGLET_COMPONENT"]),
                           ("clang-14", os.environ["REGLET_CLANG"])]:
            os.symlink(path, os.path.join(tools, name))
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}

    def blocks(self, heading):
        section = re.search(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^##)", self.text).group(1)
        return re.findall(r"(?ms)^```sh\n(.*?)^```$", section)

    def run_blocks(self, blocks, folder):
        done = subprocess.run(["sh", "-euc", "".join(blocks)], cwd=os.path.join(self.scratch, folder), env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_the_first_plugin_and_the_same_as_a_component(self):
        first, more = self.blocks("The first one"), self.blocks("The same source in C")
        said = self.run_blocks(first, ".")
        self.assertIn("sshd-setting.wasm is well", said)
        self.assertIn('"found":true,"lines":4', said)
        self.run_blocks(more, "sshd-setting")
        said = self.run_blocks(["sh test.sh sshd-setting.component.wasm"], "sshd-setting")
        self.assertIn("sshd-setting.component.wasm is well", said)

    def test_what_makes_components_of_other_languages_is_what_their_makefiles_run(self):
        for language, heading in [("js", "In JavaScript"), ("python", "In Python")]:
            self.reglet("new", "--lang", language, f"in-{language}")
            makefile = read(self.scratch, f"in-{language}", "Makefile")
            tool = re.search(r"(?m)^COMPONENTIZE = (.*)$", makefile).group(1)
            recipe = re.search(r"(?m)^\t(\$\(COMPONENTIZE\).*)$", makefile).group(1)
            command = recipe.replace("$(COMPONENTIZE)", tool).replace("$@", "sshd-setting.wasm")
            self.assertEqual(self.blocks(heading), [command + "\n"])


if __name__ == "__main__":
    unittest.main()
