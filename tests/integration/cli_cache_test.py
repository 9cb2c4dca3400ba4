"""reglet cache: the files of compiled code, as an operator sees and removes them."""

import json
import os
import re
import unittest

from cli_test import CliTest, guest


class CacheTest(CliTest):
    def setUp(self):
        super().setUp()
        self.directory = os.path.join(self.scratch, "xdg", "reglet")
        self.environment["XDG_CACHE_HOME"] = os.path.join(self.scratch, "xdg")

    def files(self):
        return sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else []

    def observe(self, name="counter", *options):
        result = self.reglet("observe", guest(name), *options)
        self.assert_code(0, result)
        return result

    def listed(self):
        result = self.reglet("cache", "list")
        self.assert_code(0, result)
        return json.loads(result.out)


class Listing(CacheTest):
    def test_path_is_where_the_files_are(self):
        result = self.reglet("cache", "path")
        self.assert_code(0, result)
        self.assertEqual(result.out, self.directory + "\n")
        self.observe("counter", "--compiler", "fast")
        self.assertEqual(len(self.files()), 1)

    def test_without_xdg_cache_home_it_is_in_the_home(self):
        del self.environment["XDG_CACHE_HOME"]
        self.assertEqual(self.reglet("cache", "path").out, os.path.join(self.scratch, ".cache/reglet") + "\n")

    def test_a_relative_xdg_cache_home_does_not_count(self):
        self.environment["XDG_CACHE_HOME"] = "xdg"
        self.assertEqual(self.reglet("cache", "path").out, os.path.join(self.scratch, ".cache/reglet") + "\n")

    def test_nowhere_is_said(self):
        del self.environment["XDG_CACHE_HOME"], self.environment["HOME"]
        result = self.reglet("cache", "list")
        self.assert_code(3, result)
        self.assertEqual(result.err,
                         "reglet cache: neither XDG_CACHE_HOME nor HOME says where it is; give --cache-dir\n")
        self.observe()

    def test_an_empty_one_is_an_empty_list_and_stays_unmade(self):
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.reglet("cache", "list", "--format", "table").out, "0 files, 0 bytes\n")
        self.assert_code(0, self.reglet("cache", "prune"))
        self.assert_code(0, self.reglet("cache", "clear"))
        self.assertFalse(os.path.exists(self.directory))

    def test_list_has_module_compiler_size_and_time(self):
        self.observe("counter", "--compiler", "fast")
        self.observe("counter", "--compiler", "optimizing")
        sha256 = json.loads(self.reglet("inspect", guest("counter"), "--format", "json").out)["sha256"]
        entries = self.listed()
        self.assertEqual(sorted(entry["compiler"] for entry in entries), ["fast", "optimizing"])
        for entry in entries:
            self.assertEqual(entry["sha256"], sha256)
            self.assertGreater(entry["bytes"], 1000)
            self.assertRegex(entry["used"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
        table = self.reglet("cache", "list", "--format", "table").out
        self.assertRegex(table, rf"(?m)^{sha256} +fast +[0-9.]+ KiB +\S+Z$")
        self.assertRegex(table, r"(?m)^2 files, [0-9.]+ KiB$")

    def test_the_file_used_last_comes_first(self):
        self.observe("counter", "--compiler", "fast")
        self.observe("tail_call", "--compiler", "optimizing")
        for name in self.files():
            os.utime(os.path.join(self.directory, name), (1, 1))
        self.observe("counter", "--compiler", "fast")
        self.assertEqual([entry["compiler"] for entry in self.listed()], ["fast", "optimizing"])

    def test_code_of_another_version_is_said_to_be_that(self):
        self.observe("counter", "--compiler", "fast")
        name, = self.files()
        os.rename(os.path.join(self.directory, name),
                  os.path.join(self.directory, re.sub(r"-[0-9a-f]{16}\.", "-" + 16 * "0" + ".", name)))
        self.assertEqual([entry["compiler"] for entry in self.listed()], [None])
        self.assertEqual(self.reglet("cache", "prune").out[:15], "removed 1 file,")
        self.assertEqual(self.files(), [])


class Removing(CacheTest):
    def fill(self):
        self.observe("counter", "--compiler", "fast")
        self.observe("counter", "--compiler", "optimizing")
        self.assertEqual(len(self.files()), 2)

    def test_clear_removes_all_and_the_next_run_compiles(self):
        self.fill()
        result = self.reglet("cache", "clear")
        self.assert_code(0, result)
        self.assertRegex(result.out, r"\Aremoved 2 files, [0-9.]+ KiB\n\Z")
        self.assertEqual(self.files(), [])
        self.observe()

    def test_prune_keeps_what_is_in_use(self):
        self.fill()
        self.assertEqual(self.reglet("cache", "prune").out, "removed 0 files, 0 bytes\n")

    def test_prune_by_age(self):
        self.fill()
        os.utime(os.path.join(self.directory, self.files()[0]), (1, 1))
        self.assertEqual(self.reglet("cache", "prune", "--older-than", "24h").out[:15], "removed 1 file,")
        self.assertEqual(len(self.files()), 1)

    def test_prune_by_size(self):
        self.fill()
        self.assertEqual(self.reglet("cache", "prune", "--max-size", "1K").out[:16], "removed 2 files,")

    def test_prune_removes_what_is_damaged(self):
        self.fill()
        with open(os.path.join(self.directory, self.files()[0]), "r+b") as file:
            file.truncate(100)
        self.assertEqual(self.reglet("cache", "prune").out[:15], "removed 1 file,")

    def test_files_of_others_stay(self):
        self.fill()
        with open(os.path.join(self.directory, "notes.txt"), "wb"):
            pass
        self.assert_code(0, self.reglet("cache", "clear"))
        self.assertEqual(self.files(), ["notes.txt"])

    def test_a_directory_that_others_may_write_is_refused(self):
        self.fill()
        os.chmod(self.directory, 0o777)
        result = self.reglet("cache", "clear")
        self.assert_code(3, result)
        self.assertEqual(result.err.count("\n"), 1)
        self.assertIn(self.directory, result.err)
        self.assertEqual(len(self.files()), 2)


class Protection(CacheTest):
    """A module that could write compiled code would run as the user. Everything is granted here, and that is not."""

    def path(self, name):
        return os.path.join(self.scratch, name)

    def run_granted(self, name, *words, options=()):
        return self.reglet("run", "--grant", "fs:read:/**", "--grant", "fs:write:/**", *options, guest(name), *words)

    def assert_refused(self, path, result):
        self.assertNotEqual(result.code, 0)
        self.assertRegex(result.err, rf"reglet: denied: \w+: \w+ {re.escape(path)} \(it is the host's own\)")

    def test_it_is_neither_written_nor_read(self):
        self.observe("counter", "--compiler", "fast")
        self.write("code", "evil")
        name, = self.files()
        code, planted = os.path.join(self.directory, name), os.path.join(self.directory, "f" * 64 + "-" + "0" * 16 + ".code")
        self.assert_refused(code, self.run_granted("cp", self.path("code"), code))
        self.assert_refused(planted, self.run_granted("cp", self.path("code"), planted))
        self.assert_refused(code, self.run_granted("cat", code))
        with open(code, "rb") as file:
            self.assertNotEqual(file.read(4), b"evil")
        self.assertFalse(os.path.exists(planted))

    def test_it_is_not_replaced_by_another_directory(self):
        self.observe("counter", "--compiler", "fast")
        for directory in [self.directory, os.path.dirname(self.directory)]:
            self.assertNotEqual(self.run_granted("mv", directory, directory + ".old").code, 0)
            self.assertTrue(os.path.isdir(directory))

    def test_a_link_to_it_leads_nowhere(self):
        self.observe("counter", "--compiler", "fast")
        self.write("code", "evil")
        os.symlink(self.directory, self.path("link"))
        files = self.files()
        self.assertNotEqual(self.run_granted("cp", self.path("code"), self.path("link/x")).code, 0)
        self.assertEqual([name for name in self.files() if name == "x"], [])
        self.assertLessEqual(set(files), set(self.files()))

    def test_the_usual_one_is_closed_while_another_one_or_none_is_in_use(self):
        self.write("code", "evil")
        os.makedirs(self.directory, 0o700)
        other = self.path("other")
        for options in [("--cache-dir", other), ("--no-cache",)]:
            result = self.run_granted("cp", self.path("code"), os.path.join(self.directory, "x"), options=options)
            self.assert_refused(os.path.join(self.directory, "x"), result)
        self.assert_refused(os.path.join(other, "x"), self.run_granted(
            "cp", self.path("code"), os.path.join(other, "x"), options=("--cache-dir", other)))
        self.assertEqual(self.files(), [])


class ProtectionBelowAPreopen(CacheTest):
    """A command that is given the home directory may do anything there, but not put code in the place of compiled code."""

    def setUp(self):
        super().setUp()
        self.observe("counter", "--compiler", "fast")
        self.name, = self.files()
        self.parent = os.path.dirname(self.directory)
        with open(os.path.join(self.directory, self.name), "rb") as file:
            self.content = file.read()
        self.write("mine", "evil")
        os.makedirs(os.path.join(self.scratch, "dir"))

    def tool(self, *words, options=(), directory=None):
        return self.reglet("run", "--dir", f"{directory or self.scratch}:/home", *options, guest("tool"), *words)

    def assert_refused(self, path, *words, reason="it is the host's own", **more):
        with self.subTest(words=words):
            result = self.tool(*words, **more)
            self.assertNotEqual(result.code, 0)
            self.assertRegex(result.err, rf"reglet: denied: tool: [\w ]+ {re.escape(path)} "
                                         rf"\({reason}, also below a preopened directory\)")
            with open(os.path.join(self.directory, self.name), "rb") as file:
                self.assertEqual(file.read(), self.content)

    def test_a_file_of_compiled_code_is_neither_read_nor_changed(self):
        file, guest_file = os.path.join(self.directory, self.name), f"/home/xdg/reglet/{self.name}"
        self.assert_refused(file, "cat", guest_file)
        self.assert_refused(file, "write", guest_file, "evil")
        self.assert_refused(file, "rm", guest_file)
        self.assert_refused(file, "mv", guest_file, "/home/out")
        self.assert_refused(file, "mv", "/home/mine", guest_file)
        self.assert_refused(file, "ln", guest_file, "/home/out")
        self.assertFalse(os.path.lexists(os.path.join(self.scratch, "out")))

    def test_nothing_is_put_beside_it(self):
        planted, guest_planted = os.path.join(self.directory, "new"), "/home/xdg/reglet/new"
        for words in [("write", guest_planted, "evil"), ("mv", "/home/mine", guest_planted),
                      ("ln", "/home/mine", guest_planted), ("mkdir", guest_planted)]:
            self.assert_refused(planted, *words)
        self.assertLessEqual({self.name}, set(self.files()))
        self.assertFalse(os.path.lexists(planted))

    def test_the_directory_and_those_that_hold_it_stay(self):
        self.assert_refused(self.directory, "ls", "/home/xdg/reglet")
        self.assert_refused(self.directory, "rmdir", "/home/xdg/reglet")
        self.assert_refused(self.directory, "mv", "/home/xdg/reglet", "/home/old")
        self.assert_refused(self.directory, "mv", "/home/dir", "/home/xdg/reglet")
        holds = "it holds files of the host's own"
        self.assert_refused(self.parent, "mv", "/home/xdg", "/home/old", reason=holds)
        self.assert_refused(self.parent, "mv", "/home/dir", "/home/xdg", reason=holds)
        self.assert_refused(self.parent, "rmdir", "/home/xdg", reason=holds)

    def test_a_directory_that_would_hold_it_is_not_made(self):
        later = os.path.join(self.scratch, "later")
        self.environment["XDG_CACHE_HOME"] = later
        for words in [("mkdir", "/home/later"), ("mv", "/home/dir", "/home/later")]:
            self.assert_refused(later, *words, reason="it holds files of the host's own", options=["--no-cache"])
        self.assertFalse(os.path.lexists(later))

    def test_everything_else_goes_on(self):
        for words in [("write", "/home/new", "text"), ("mv", "/home/new", "/home/xdg/moved"),
                      ("ln", "/home/xdg/moved", "/home/dir/linked"), ("rm", "/home/xdg/moved"),
                      ("mv", "/home/dir", "/home/xdg/dir"), ("mkdir", "/home/xdg/made"), ("rmdir", "/home/xdg/made")]:
            result = self.tool(*words)
            self.assert_code(0, result)
            self.assertEqual(result.err, "")
        self.assertEqual(self.tool("cat", "/home/xdg/dir/linked").out, "text")
        self.assertEqual(sorted(self.tool("ls", "/home/xdg").out.split()), [".", "..", "dir"])

    def test_it_cannot_be_preopened_itself(self):
        os.makedirs(os.path.join(self.directory, "sub"))
        os.symlink(self.directory, os.path.join(self.scratch, "link"))
        for directory in [self.directory, os.path.join(self.directory, "sub"), os.path.join(self.scratch, "link")]:
            result = self.tool("ls", "/home", directory=directory)
            self.assert_code(3, result)
            self.assertEqual(result.err.count("\n"), 1)
            self.assertIn(f"the directory {directory} is the host's own and cannot be given to a command", result.err)


class Usage(CacheTest):
    def test_wrong_words_say_what_would_be_right(self):
        for arguments, message in [
            ([], "list, prune, clear or path is missing; see 'reglet cache --help'"),
            (["purge"], "\"purge\" should be list, prune, clear or path; see 'reglet cache --help'"),
            (["list", "x"], "\"x\" is one argument too many; see 'reglet cache --help'"),
            (["clear", "--max-size", "1G"], "--older-than and --max-size are for prune; see 'reglet cache --help'"),
            (["prune", "--max-size", "0"],
             "--max-size should be a positive number of bytes, or of K, M, G or T (500M), not \"0\"; "
             "see 'reglet cache --help'"),
            (["prune", "--max-size", "9999999999T"],
             "--max-size should be a positive number of bytes, or of K, M, G or T (500M), not \"9999999999T\"; "
             "see 'reglet cache --help'"),
        ]:
            result = self.reglet("cache", *arguments)
            self.assert_code(2, result)
            self.assertEqual(result.err, f"reglet cache: {message}\n")

    def test_what_a_run_says_when_the_cache_cannot_be_used(self):
        os.makedirs(self.directory)
        os.chmod(self.directory, 0o777)
        result = self.observe()
        self.assertIn("cache of compiled code: ", result.err)
        self.assertEqual(result.err.count("\n"), 1)
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    unittest.main()
