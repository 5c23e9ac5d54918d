#!/usr/bin/python3
"""Whether the schemas of spec/ and the parsers agree, on good and on bad examples.

schemas.py records SCHEMA COMMAND...    COMMAND - reads a record and says by its status if it is good
schemas.py manifests SCHEMA FILE COMMAND...   FILE is a manifest that COMMAND reads
schemas.py valid SCHEMA FILE
"""
import json
import subprocess
import sys

import jsonschema

GONE = object()
RECORD = {"version": 1, "uid": 31001, "name": "shop", "image": "tiny"}
# member -> values; what is good and what is bad is for schema and parser to say alike
RECORD_VALUES = {
    "version": [1, 0, 2, "1", None, GONE, True],
    "uid": [30001, 49456, 30000, 49457, -1, "31001", 31001.5, None, GONE, [], 1e400, 2**64],
    "name": ["a", "a" * 63, "a" * 64, "", "-a", "a-", "a--b", "A", "a.b", "\u00e9", 1, None, GONE],
    "image": ["tiny", "", ".tiny", "ti/ny", "Tiny", "a" * 64, 1, {}, None, GONE],
    "hostname": ["A-b-1", "-", "a" * 63, "a" * 64, "a.b", "a b", "", 1, None],
    "memory": [16777216, 16777215, 16777217, 16781312, 0, -4096, "1G", 2**50, 2**50 + 4096, None],
    "cpu": [
        {}, {"weight": 1}, {"weight": 10000}, {"weight": 0}, {"weight": 10001}, {"max": 1},
        {"max": 100000}, {"max": 0}, {"max": 100001}, {"weight": None}, {"shares": 1}, [], 1, None,
        {"weight": "1"}, {"weight": 1.5},
    ],
    "pids": [8, 1000000, 7, 1000001, "8", True, None],
    "netns": [
        "/run/netns/a b", "/", "/" + "a" * 1022, "/" + "a" * 1023, "run", "", "/\u00e9", "/a\tb", 1,
        None,
    ],
    "nameservers": [
        [], ["192.0.2.1"], ["::1"] * 8, ["::1"] * 9, ["localhost"], [""], ["256.1.1.1"], ["1.2.3"],
        ["fe80::1%eth0"], ["::ffff:192.0.2.1"], [":::"], [1], "::1", {}, None,
    ],
    "hosts": [
        [], [{"address": "::1", "names": ["a", "b.c_d"]}], [{"address": "::1", "names": []}],
        [{"address": "::1"}], [{"names": ["a"]}], [{"address": "x", "names": ["a"]}], ["a"], [1],
        [{"address": "::1", "names": ["a b"]}], [{"address": "::1", "names": ["a"] * 16}],
        [{"address": "::1", "names": ["a"] * 17}], [{"address": "::1", "names": ["a" * 254]}],
        [{"address": "::1", "names": "a"}], [{"address": "::1", "names": ["a"], "x": 1}],
        [{"address": "::1", "names": ["a"]}] * 64, [{"address": "::1", "names": ["a"]}] * 65, {},
        None,
    ],
    "restart": ["no", "on-failure", "always", "never", "", False, None],
    "colour": ["red", None],
}
MANIFEST_VALUES = {
    "version": [1, 2, "1", GONE],
    "name": ["Tiny", "", 1, GONE],
    "architecture": ["amd64", "i386", "x86_64", 1, GONE],
    "recipe": ["debian-12", "import", "", "A", GONE],
    "digest": ["sha256:" + "0" * 64, "sha256:" + "0" * 63, "md5:" + "0" * 64, "sha256:" + "G" * 64,
               "sha256:" + "0" * 65, GONE, 1],
    "created": ["2026-01-31T12:00:00Z", "2026-01-31", "now", "2026-01-31T12:00:00Zz", 1, GONE],
    "uwsgi": ["/usr/bin/uwsgi", None, GONE, "uwsgi", "/" + "a" * 254, "/" + "a" * 255, 1],
    "colour": ["red"],
}


def schema_says(schema, value):
    checker = jsonschema.FormatChecker()
    return jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(value)


def changed(base, member, value):
    copy = {k: v for k, v in base.items() if k != member}
    if value is not GONE:
        copy[member] = value
    return copy


def compare(schema, base, values, parser_says):
    bad = 0
    count = 0
    for member, examples in values.items():
        for example in examples:
            value = changed(base, member, example)
            text = json.dumps(value).replace("Infinity", "1e400")
            by_schema = schema_says(schema, value)
            by_parser, message = parser_says(text)
            count += 1
            if by_schema != by_parser:
                bad += 1
                print(f"schema {by_schema}, parser {by_parser}: {text[:200]} {message}")
    print(f"{count} examples, {bad} disagreements")
    return bad


def run(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr.strip()


def main():
    mode, schema_path, *rest = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    if mode == "records":
        return compare(schema, RECORD, RECORD_VALUES, lambda text: run(rest + ["-"], text))
    path, *command = rest
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    if mode == "valid":
        jsonschema.Draft202012Validator(schema).validate(value)
        return 0

    def by_file(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return run(command, None)

    return compare(schema, value, MANIFEST_VALUES, by_file)


sys.exit(1 if main() else 0)
