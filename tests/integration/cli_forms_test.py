"""One plugin in every form (a module of each generation, a component): the command shows the same of each.

CTest sets the same variables as for cli_test.py.
"""

import json
import os
import re
import unittest

from cli_test import CliTest, guest

FORMS = [guest("behaves"), guest("behaves_v2"), guest("behaves.component")]


class Forms(CliTest):
    def same(self, *arguments, code=0, what=lambda result: result.out):
        """What is shown of each form, which is the same."""
        shown = []
        for form in FORMS:
            result = self.reglet(arguments[0], form, "--name", "p", *arguments[1:])
            self.assert_code(code, result)
            shown.append(what(result))
        self.assertEqual(shown[1:], shown[:1] * (len(FORMS) - 1))
        return shown[0]

    def test_description(self):
        shown = json.loads(self.same("describe", what=lambda result: json.dumps(
            {key: result.json()[key] for key in ("name", "version", "description", "capabilities")})))
        self.assertEqual(shown["capabilities"][0], {"kind": "fs", "pattern": "read:/**"})

    def test_fields_of_the_schema(self):
        def fields(result):
            schema = result.json()
            return [(name, field.get("type"), field.get("description")) for name, field in schema["properties"].items()
                    if name != "port"], schema["required"]
        self.assertEqual(self.same("schema", what=fields)[1], ["do"])

    def test_declared_and_granted(self):
        shown = self.same("grants", what=lambda result: result.json()["declared"])
        self.assertEqual([one["capability"] for one in shown], ["fs:read:/**", "env:HOME"])

    def test_explanation(self):
        def explained(result):
            # A column is as wide as the longest time in it.
            return re.sub(r" +", " ", re.sub(r"\d+ [uµm]s|\d+ ns", "TIME", result.err))
        shown = self.same("observe", "do=env", "text=HOME", "--explain", code=1, what=explained)
        self.assertRegex(shown, r"denied +TIME +- +- +env_get +env:HOME +no grant covers it")
        path = self.write("f", "0123456789")
        shown = self.same("observe", "do=read", f"text={path}", "--grant", f"fs:read:{path}", "--explain", what=explained)
        self.assertRegex(shown, r"granted +TIME +\d bytes +- +fs_read ")

    def test_audit_file(self):
        def audited(_):
            path = os.path.join(self.scratch, "audit.jsonl")
            with open(path, encoding="utf-8") as file:
                records = [json.loads(line) for line in file]
            os.remove(path)
            return [(one["function"], one["asked"], one["decision"] if "decision" in one else one["allowed"]) for one in records]
        shown = self.same("observe", "do=env", "text=HOME", "--audit", "audit.jsonl", code=1, what=audited)
        self.assertEqual([one[:2] for one in shown], [("env_get", "HOME")])

    def test_what_would_be_learned(self):
        def learned(result):
            return re.sub("[0-9a-f]{64}", "SHA256", result.out)
        self.assertIn("- fs:read:/etc/hosts\n", self.same("observe", "do=read", "text=/etc/hosts", "--learn", what=learned))

    def test_recording_is_answered_again_without_the_file(self):
        for form in FORMS:
            path = self.write("f", "0123456789")
            self.assert_code(0, self.reglet("observe", form, "do=read", f"text={path}", "--grant", f"fs:read:{path}", "--record", "r"))
            os.remove(path)
            again = self.reglet("observe", form, "--replay", "r")
            self.assert_code(0, again)
            self.assertEqual(again.json()["evidence"]["data"], {"content": "123", "truncated": True})

    def test_errors_and_exit_codes(self):
        self.same("observe", "do=trap", code=3, what=lambda result: result.json()["error"]["code"])
        self.same("observe", "do=loop", "--timeout", "100ms", code=3, what=lambda result: result.json()["error"])
        self.same("observe", "do=fail", code=1, what=lambda result: result.json()["evidence"]["error"])
        self.same("observe", "do=nothing", "list=x", "--check", code=2, what=lambda result: result.err)

    def test_batch_takes_all_forms_side_by_side(self):
        lines = [{"id": number, "plugin": FORMS[number % 3], "values": {"do": "echo", "integer": number}} for number in range(30)]
        result = self.reglet("batch", "--quiet", "--jobs", "4", input="".join(json.dumps(line) + "\n" for line in lines).encode())
        self.assert_code(0, result)
        found = {one["id"]: one["evidence"]["data"]["integer"] for one in map(json.loads, result.out.splitlines())}
        self.assertEqual(found, {number: number for number in range(30)})

    def test_component_is_inspected_with_its_interfaces(self):
        shown = self.reglet("inspect", FORMS[2]).json()
        self.assertEqual(shown["abi"], 1)
        self.assertEqual({one["module"] for one in shown["imports"]}, {"reglet:plugin/host@1.1.0", "reglet:plugin/types@1.1.0"})
        self.assertEqual([one["name"] for one in shown["exports"]], ["describe", "schema", "observe"])
        result = self.on_terminal("inspect", FORMS[2])
        self.assert_code(0, result)
        self.assertIn("component, reglet:plugin/plugin@1.1.0", result.out)

    def test_component_is_no_command(self):
        result = self.reglet("run", FORMS[2])
        self.assertNotEqual(result.code, 0)
        self.assertIn("a component, and no WASI command; `reglet observe` runs it", result.err)


if __name__ == "__main__":
    unittest.main()
