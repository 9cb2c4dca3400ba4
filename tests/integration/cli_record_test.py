"""reglet observe --record and --replay: what is kept of an observation, and that it answers again what it answered.

CTest sets the same variables as for cli_test.py.
"""

import base64
import json
import os
import stat
import unittest

from cli_test import FILE_PLUGIN, CliTest, ServersTest, guest

HTTP_PLUGIN = os.path.join(os.environ["REGLET_PLUGINS"], "http.wasm")
GO = guest("go_v1")
HAVE_GO = os.path.exists(GO)
TOKEN = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"


class RecordTest(CliTest):
    def record(self, plugin, *arguments, code=0):
        result = self.reglet("observe", plugin, *arguments, "--record", "r.jsonl")
        self.assert_code(code, result)
        return result.json()

    def replay(self, plugin, *arguments, code=0):
        result = self.reglet("observe", plugin, *arguments, "--replay", "r.jsonl")
        self.assert_code(code, result)
        return result

    def assert_same(self, first, second):
        """But for the time that the host gives evidence which has none."""
        for result in (first, second):
            result["evidence"].pop("timestamp")
        self.assertEqual(first, second)

    def text(self):
        with open(os.path.join(self.scratch, "r.jsonl"), encoding="utf-8") as file:
            return file.read()

    def lines(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def functions(self):
        return [line["function"] for line in self.lines()[1:]]

    def record_file(self, text="hello\n", plugin=FILE_PLUGIN, *arguments):
        path = self.write("f", text)
        config = ["read_content:=true", f"path={path}"] if plugin == FILE_PLUGIN else ["op=read", f"path={path}"]
        return path, self.record(plugin, *config, "--grant", f"fs:read:{path}", *arguments)


class Files(RecordTest):
    def test_a_replay_gives_the_same_evidence_without_grants_and_without_the_file(self):
        for plugin in [FILE_PLUGIN] + [GO] * HAVE_GO:
            path, recorded = self.record_file("hello\n", plugin)
            os.remove(path)
            again = self.replay(plugin)
            self.assert_same(again.json(), recorded)
            self.assertEqual(again.err, "")

    def test_a_replay_sees_the_file_as_it_was(self):
        path, recorded = self.record_file("then")
        self.write("f", "now, and longer than then")
        self.assert_same(self.replay(FILE_PLUGIN).json(), recorded)

    def test_what_was_denied_is_denied_again(self):
        path = self.write("f", "x")
        recorded = self.record(FILE_PLUGIN, f"path={path}", code=1)
        again = self.replay(FILE_PLUGIN, "--grant", f"fs:read:{path}", code=1)
        self.assert_same(again.json(), recorded)

    def test_the_recording_names_what_was_asked_and_answered(self):
        path, _ = self.record_file()
        head, *calls = self.lines()
        self.assertEqual([head["reglet_recording"], head["plugin"], head["abi"], head["config"]["path"], head["redacted"]],
                         [1, "file", 1, path, True])
        self.assertEqual([call["n"] for call in calls], list(range(1, len(calls) + 1)))
        opened = next(call for call in calls if call["function"] == "path_open")
        self.assertEqual(opened["in"]["path"], path[1:])
        self.assertIn("hello\n", [call["out"].get("data") for call in calls])

    def test_bytes_that_are_no_text_are_base64(self):
        data = bytes(range(256))
        path = os.path.join(self.scratch, "f")
        with open(path, "wb") as file:
            file.write(data)
        recorded = self.record(FILE_PLUGIN, f"path={path}", "read_content:=true", "--grant", f"fs:read:{path}")
        self.assertIn(base64.b64encode(data).decode(), self.text())
        self.assert_same(self.replay(FILE_PLUGIN).json(), recorded)

    def test_only_its_owner_may_read_it(self):
        self.record_file()
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.scratch, "r.jsonl")).st_mode), 0o600)

    def test_an_older_recording_is_replaced_as_a_whole(self):
        self.write("r.jsonl", "old" * 10000)
        self.record_file()
        self.assertNotIn("old", self.text())
        self.assertEqual([name for name in os.listdir(self.scratch) if name.startswith("r.jsonl")], ["r.jsonl"])

    def test_what_is_no_file_is_not_replaced(self):
        target = self.write("target", "kept")
        for name, make in [("link", lambda path: os.symlink(target, path)), ("fifo", os.mkfifo), ("folder", os.mkdir)]:
            make(os.path.join(self.scratch, name))
            self.assert_usage(f"reglet observe: --record {name}: it is there, and no regular file",
                              "observe", FILE_PLUGIN, "path=/x", "--record", name)
        with open(target, encoding="utf-8") as file:
            self.assertEqual(file.read(), "kept")

    def test_a_plugin_does_not_reach_the_recording(self):
        path = self.write("r.jsonl", "old")
        recorded = self.record(FILE_PLUGIN, f"path={path}", "read_content:=true", "--grant", "fs:read:/**", code=1)
        self.assertEqual(recorded["evidence"]["error"]["code"], "EACCES")


class Secrets(RecordTest):
    def test_a_secret_in_a_file_is_not_in_the_recording(self):
        for plugin in [FILE_PLUGIN] + [GO] * HAVE_GO:
            path, _ = self.record_file(f"a\ntoken={TOKEN}\nz\n", plugin)
            self.assertNotIn(TOKEN, self.text())
            again = self.replay(plugin)
            self.assertIn("[REDACTED]", base64.b64decode(again.json()["evidence"]["data"].get("content_b64", "")).decode()
                          + again.out)

    def test_record_secrets_keeps_it(self):
        self.record_file(f"token={TOKEN}\n", FILE_PLUGIN, "--record-secrets")
        self.assertIn(TOKEN, self.text())
        self.assertFalse(self.lines()[0]["redacted"])

    def test_a_secret_that_two_reads_share_is_found(self):
        filler = "a line of no interest\n" * 3000
        for size in [4096, 65536]:
            text = filler[:size - 20] + f"\ntoken={TOKEN}\n" + filler
            self.record_file(text)
            self.assertNotIn(TOKEN[10:], self.text())
            self.replay(FILE_PLUGIN)

    def test_sizes_stay_what_they_were(self):
        path, recorded = self.record_file(f"token={TOKEN}\n")
        self.assertEqual(self.replay(FILE_PLUGIN).json()["evidence"]["data"]["size"], recorded["evidence"]["data"]["size"])

    def test_a_path_that_was_replaced_matches_any(self):
        path = self.write(TOKEN, "x")
        self.record(FILE_PLUGIN, f"path={path}", "--grant", f"fs:read:{path}")
        self.assertNotIn(TOKEN, self.text())
        self.replay(FILE_PLUGIN)
        self.replay(FILE_PLUGIN, f"path={path}")


class Divergence(RecordTest):
    def test_what_differs_is_told_without_the_secret_in_it(self):
        """Also where it is so long that it is not told as a whole."""
        self.record_file("x")
        for filler in ["", "long/" * 8, "long/" * 20, "long/" * 100]:
            for shift in range(0, 60, 7):
                path = "/" + "x" * shift + "/" + filler + TOKEN
                result = self.reglet("observe", FILE_PLUGIN, f"path={path}", "--replay", "r.jsonl")
                self.assertIn("[replay]", result.err)
                self.assertNotIn(TOKEN[:14], result.out + result.err)

    def test_another_path_is_told_with_the_call(self):
        path, _ = self.record_file()
        result = self.replay(FILE_PLUGIN, "path=/etc/passwd", code=3)
        self.assertEqual(result.json()["error"], {"code": "replay", "message":
                         f'call 1: the plugin asked fs_stat "/etc/passwd", the recording has fs_stat "{path}"'})
        self.assert_one_line(result.err)

    def test_what_differs_besides_is_named(self):
        path, _ = self.record_file()
        lines = self.lines()
        opened = next(line for line in lines[1:] if line["function"] == "path_open")
        opened["in"]["oflags"] = 1
        self.write("r.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        message = self.replay(FILE_PLUGIN, code=3).json()["error"]["message"]
        self.assertEqual(message, f'call {opened["n"]}: the plugin asked path_open "{path[1:]}" with oflags 0, the recording has 1')

    def test_a_recording_that_ends_too_early_says_so(self):
        self.record_file()
        self.write("r.jsonl", "".join(line + "\n" for line in self.text().splitlines()[:2]))
        message = self.replay(FILE_PLUGIN, code=3).json()["error"]["message"]
        self.assertRegex(message, r"\Acall 2: the plugin asked \w+ .*, the recording has no more\Z")

    def test_a_plugin_that_asks_less_is_a_warning(self):
        path, _ = self.record_file()
        lines = self.lines()
        lines.append(dict(lines[1], n=len(lines)))
        self.write("r.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.assertRegex(self.replay(FILE_PLUGIN).err,
                         r"replay: the plugin asked (\d+) of the \d+ calls that the recording has in order")

    def test_another_build_of_the_plugin_is_the_same_plugin(self):
        # A custom section changes the module's bytes and hash, and nothing that it does.
        path, recorded = self.record_file()
        with open(FILE_PLUGIN, "rb") as file:
            module = file.read()
        rebuilt = os.path.join(self.scratch, "file.wasm")
        with open(rebuilt, "wb") as file:
            file.write(module + b"\x00\x05\x04note")
        self.assert_same(self.replay(rebuilt).json(), recorded)


class Endings(RecordTest):
    def test_a_call_that_timed_out_times_out_again_and_at_once(self):
        self.record(guest("sleep_forever"), "--timeout", "300ms", code=3)
        self.assertEqual(self.lines()[-1]["out"]["ended"]["status"], "timeout")
        self.assertEqual(self.replay(guest("sleep_forever"), code=3).json()["error"]["code"], "timeout")

    def test_a_call_that_trapped_is_recorded(self):
        self.record(guest("trap"), code=3)
        self.assertEqual(self.replay(guest("trap"), code=3).json()["error"]["code"], "trap")

    @unittest.skipUnless(HAVE_GO, "no Go")
    def test_nobody_sleeps_in_a_replay(self):
        recorded = self.record(GO, "op=sleep", "millis:=1500")
        # Its sleep alone is longer than the call may take now.
        self.assertEqual(self.replay(GO, "--timeout", "1s").json(), recorded)

    @unittest.skipUnless(HAVE_GO, "no Go")
    def test_the_environment_is_that_of_the_recording(self):
        self.environment["COLOR"] = "green"
        recorded = self.record(GO, "op=env", "name=COLOR", "--grant", "env:COLOR")
        self.environment["COLOR"] = "red"
        self.assertEqual(self.replay(GO, "--grant", "env:COLOR").json(), recorded)

    @unittest.skipUnless(HAVE_GO, "no Go")
    def test_clocks_and_random_numbers_go_on_behind_the_end_of_the_recording(self):
        self.record(GO, "op=hello")
        head, *calls = self.lines()
        calls = [call for call in calls if call["function"] not in ("clock_time_get", "random_get")]
        for number, call in enumerate(calls):
            call["n"] = number + 1
        self.write("r.jsonl", "".join(json.dumps(line) + "\n" for line in [head] + calls))
        first = self.replay(GO).json()
        self.assertEqual(first["evidence"]["data"], self.replay(GO).json()["evidence"]["data"])
        self.assertEqual(first["evidence"]["timestamp"][:10], head["time"][:10])


class Hostile(RecordTest):
    def refused(self, line, what):
        result = self.reglet("observe", FILE_PLUGIN, "--replay", "r.jsonl")
        self.assert_code(2, result)
        self.assert_one_line(result.err)
        self.assertIn(f"line {line}: ", result.err)
        self.assertIn(what, result.err)

    def test_a_malformed_line_is_refused_with_its_number(self):
        self.record_file()
        lines = self.text().splitlines()
        for line, what in [("x", "not acceptable JSON"), ("[]", "it is no object"), ("{}", '"n" should be 1'),
                           ('{"n":2}', '"n" should be 1'), ('{"n":1,"function":"f","in":{},"out":[]}', "should be"),
                           ('{"n":1,"function":"f","in":{},"out":{}}', "none of WASI"),
                           ('{"n":1,"function":"proc_exit","in":{},"out":{}}', "none of WASI"),
                           ('{"n":1,"function":"fd_read","in":{},"out":{}}', '"in" needs "fd"'),
                           ('{"n":1,"function":"fd_read","in":{"fd":-1},"out":{}}', '"in" needs "fd"'),
                           ('{"n":1,"function":"fd_read","in":{"fd":4},"out":{}}', '"out" needs "data"'),
                           ('{"n":1,"function":"fd_read","in":{"fd":4},"out":{"error":"EWHAT"}}', "the name of an error"),
                           ('{"n":1,"function":"fd_read","in":{"fd":4},"out":{"ended":{"status":"x"}}}', '"ended" needs'),
                           ('{"n":1,"function":"fd_read","in":{"fd":4},"out":{"data":{"base64":"???"}}}', '"out" needs "data"'),
                           ('{"n":1,"function":"f","in":{"request":{}},"out":{}}', '"out" needs "response"')]:
            self.write("r.jsonl", "\n".join([lines[0], line, *lines[2:]]) + "\n")
            self.refused(2, what)

    def test_a_first_line_that_is_none_is_refused(self):
        for line, what in [("{}", "reglet_recording"), ('{"reglet_recording":2}', "version"),
                           ('{"reglet_recording":1}', '"plugin"')]:
            self.write("r.jsonl", line + "\n")
            self.refused(1, what)

    def test_a_recording_that_was_cut_off_is_refused(self):
        self.record_file()
        text = self.text()
        self.write("r.jsonl", text[:-10])
        self.refused(text.count("\n"), "cut off")

    def test_an_answer_larger_than_the_plugins_room_ends_the_call(self):
        self.record_file()
        lines = self.lines()
        read = next(line for line in lines[1:] if line["function"] == "fd_read")
        read["out"]["data"] = "x" * (4 << 20)
        self.write("r.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.assertRegex(self.replay(FILE_PLUGIN, code=3).json()["error"]["message"],
                         r"the recording answers fd_read with 4194304 bytes, the plugin has room for \d+")

    def test_descriptors_of_a_recording_reach_nothing(self):
        self.record_file()
        lines = self.lines()
        for line in lines[1:]:
            if line["function"] == "path_open":
                line["out"]["fd"] = 4294967295
        self.write("r.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        result = self.reglet("observe", FILE_PLUGIN, "--replay", "r.jsonl")
        self.assertIn("replay", result.err)


class Usage(RecordTest):
    def test_both_at_once_is_a_mistake(self):
        self.assert_usage("reglet observe: --record and --replay do not go together; see 'reglet observe --help'",
                          "observe", FILE_PLUGIN, "--record", "a", "--replay", "b")

    def test_record_secrets_alone_is_a_mistake(self):
        self.assert_usage("reglet observe: --record-secrets goes with --record; see 'reglet observe --help'",
                          "observe", FILE_PLUGIN, "--record-secrets")

    def test_a_recording_that_is_not_there_is_a_mistake(self):
        self.assert_usage("reglet observe: --replay none: No such file or directory", "observe", FILE_PLUGIN, "--replay", "none")

    def test_a_directory_that_is_not_there_is_told_before_the_plugin_runs(self):
        self.assert_usage("reglet observe: --record no/r: No such file or directory",
                          "observe", guest("sleep_forever"), "--record", "no/r")


class Network(ServersTest):
    def test_a_plugin_is_tried_without_the_network_that_it_saw(self):
        port = self.ports["http"]
        url = f"http://127.0.0.1:{port}/hello"
        arguments = [HTTP_PLUGIN, f"url={url}", "body_preview_length:=100"]
        recorded = self.reglet("observe", *arguments, "--grant", f"network:outbound:127.0.0.1:{port}", "--grant",
                               "network:outbound:private", "--record", "r.jsonl")
        self.assert_code(0, recorded)
        # Nobody grants the network any more, and who would ask the server would be refused.
        again = self.reglet("observe", HTTP_PLUGIN, "--replay", "r.jsonl")
        self.assert_code(0, again)
        again, recorded = again.json(), recorded.json()
        for result in (again, recorded):
            result["evidence"].pop("timestamp")
        self.assertEqual(again, recorded)
        other = self.reglet("observe", HTTP_PLUGIN, f"url={url}x", "--replay", "r.jsonl")
        self.assert_code(3, other)
        self.assertIn(f'the plugin asked http_request "{url}x", the recording has http_request "{url}"', other.err)


if __name__ == "__main__":
    unittest.main()
