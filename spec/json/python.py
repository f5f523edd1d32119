"""Compares what Lua made of JSON documents with what Python makes of them.

    python.py FILE    each line: the document in hexadecimal, and "-" (refused) or what Lua wrote back, in hexadecimal

Prints a line for each difference, and how many documents both took.
"""

import json
import math
import sys

def strict(data):
    def refuse(word):
        raise ValueError(word)

    def pairs(found):  # also of a key that comes again, which the last one stands for
        json.dumps(found, ensure_ascii=False).encode("utf-8")
        return dict(found)

    def number(digits):  # one that is larger than any is refused
        value = float(digits)
        return refuse(digits) if math.isinf(value) else value

    value = json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=number, object_pairs_hook=pairs)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate cannot be given on
    return value


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        a, b = ({k: v for k, v in d.items() if v is not None} for d in (a, b))  # null in an object is absent
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    if isinstance(a, int) and not -2 ** 63 <= a < 2 ** 63:
        a = float(a)
    return a == b


both = 0
for line in open(sys.argv[1]):
    given, written = line.split()
    document = bytes.fromhex(given)
    try:
        ours = None if written == "-" else json.loads(bytes.fromhex(written))
        accepted = written != "-"
        try:
            theirs, right = strict(document), True
        except (ValueError, RecursionError, UnicodeError):
            theirs, right = None, False
        if document.startswith(b"\xef\xbb\xbf"):
            right = False
        if accepted != right or accepted and not same(theirs, ours):
            print("differs:", document, "here:", written if written == "-" else bytes.fromhex(written))
        both += accepted and right
    except Exception as problem:
        print("failed:", document, repr(problem))
print("both took", both)
