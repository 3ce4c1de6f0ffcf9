"""Reads the events of go test -json and prints what a person wants to see: a
line a package with its time, all output of a test that failed, the reason of a
test that was skipped, and as the last line how many passed and failed. Ends
with 1 when anything failed."""

import collections
import json
import sys

RESULTS = ("pass", "fail", "skip")


class Summary:
    def __init__(self):
        self.output = collections.defaultdict(list)  # (package, test) -> lines not yet judged
        self.tests = collections.Counter()
        self.packages = collections.defaultdict(collections.Counter)
        self.skipped = []
        self.broken = False

    def add(self, event):
        action, package, test = event.get("Action"), event.get("Package", ""), event.get("Test")
        if action == "build-output":
            print(event["Output"], end="")
        elif action == "build-fail":
            self.broken = True
        elif action == "output":
            self.output[package, test].append(event["Output"])
        elif action in RESULTS and test:
            self.judge_test(action, package, test)
        elif action in RESULTS:
            self.judge_package(action, package, event.get("Elapsed", 0))

    def judge_test(self, action, package, test):
        self.tests[action] += 1
        self.packages[package][action] += 1
        lines = self.output.pop((package, test), [])
        if action == "fail":
            print("".join(lines), end="")
        elif action == "skip":
            self.skipped.append(f"skip {package} {test}: {reason_of(lines)}")

    def judge_package(self, action, package, seconds):
        if action == "fail":
            self.broken = True
            for key in [key for key in self.output if key[0] == package]:
                print("".join(self.output.pop(key)), end="")
        counts = self.packages[package]
        if action != "skip" or counts:
            detail = ", ".join(f"{counts[name]} {name}" for name in RESULTS if counts[name])
            word = {"pass": "ok  ", "fail": "FAIL", "skip": "?   "}[action]
            print(f"{word} {package:32} {seconds:8.2f}s  {detail}", flush=True)

    def finish(self):
        for line in self.skipped:
            print(line)
        if self.broken and not self.tests["fail"]:
            self.tests["fail"] = 1  # a package that does not build, or died outside a test
        print(f"{self.tests['pass']} passed, {self.tests['fail']} failed, {self.tests['skip']} skipped")
        return 1 if self.tests["fail"] or not self.tests["pass"] else 0


def reason_of(lines):
    """What a skipped test said, without the log of a script after its reason."""
    said = []
    for line in lines:
        if said and line.lstrip().startswith("testscript.go:"):
            break
        if not line.lstrip().startswith(("===", "---")):
            said.append(line.strip())
    return " ".join(said)


def main():
    summary = Summary()
    for line in sys.stdin:
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="")
            continue
        summary.add(event)
    return summary.finish()


if __name__ == "__main__":
    sys.exit(main())
