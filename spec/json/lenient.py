"""Documents that are not quite JSON, and what Python's json makes of them, for mend_spec.lua: a line
each, its bytes in hexadecimal and what was read, written strictly; or "refused"."""

import json
import math
import random
import re

PIECES = ['"', '"', "\\ud83d", "\\ude00", "\\u00e9", "\\n", "\\\"", "\x01", "\t", "\x7f", "a", "é", "😀", "{", "}",
          "[", "]", ",", ",", ":", ":", "1", "-", "0.5", "e3", "NaN", "Infinity", "-Infinity", "null", "true", " ",
          "\r", '"k"', '"k":', "\\x", "\\u12"]


def value(random, depth):
    kind = random.randrange(9 if depth < 4 else 6)
    if kind < 3:
        inner = [p for p in PIECES if p not in ('"', "\\x", "\\u12") and '"' not in p.replace('\\"', "")]
        return '"' + "".join(random.choice(inner) for _ in range(random.randrange(8))) + '"'
    if kind < 6:
        return random.choice(["NaN", "Infinity", "-Infinity", "null", "true", "12", "-0.5", "1e3", "12345678901"])
    count = random.randrange(4)
    if kind == 6:
        return "[" + ",".join(value(random, depth + 1) for _ in range(count)) + "]"
    return "{" + ",".join('"k%d\\u00e9":%s' % (i, value(random, depth + 1)) for i in range(count)) + "}"


def clean(read):
    """A number that JSON does not have becomes a word; half a surrogate pair becomes U+FFFD."""
    if isinstance(read, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", read)
    if isinstance(read, float) and (math.isnan(read) or math.isinf(read)):
        return "number " + str(read)
    if isinstance(read, list):
        return [clean(element) for element in read]
    if isinstance(read, dict):
        return {clean(key): clean(element) for key, element in read.items()}
    return read


def main():
    source = random.Random(20)
    for i in range(4000):
        if i % 2:
            text = value(source, 0)
            if source.random() < 0.3:
                at = source.randrange(len(text) + 1)
                text = text[:at] + source.choice(PIECES) + text[at:]
        else:
            text = "[" + "".join(source.choice(PIECES) for _ in range(source.randrange(7))) + "]"
        try:
            expected = json.dumps(clean(json.loads(text, strict=False)), separators=(",", ":"))
        except (ValueError, RecursionError):
            expected = "refused"
        print(text.encode("utf-8").hex(), expected)


main()
