#!/usr/bin/env python3
"""leaves.py SCHEMA VALUES: each leaf of a chart's values (JSON) with another value that the schema allows:
"PATH=VALUE" as `helm template --set-json` wants it. The other value is the schema's example, not, another word
of the enum, or one more. Fails when a leaf has none."""
import json
import sys


def resolve(schema, root):
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def other(value, schema):
    for example in schema.get("examples", []):
        if example != value:
            return example
    if isinstance(value, bool):
        return not value
    words = [word for word in schema.get("enum", []) if word != value]
    if words:
        return words[0]
    if isinstance(value, int):
        return value - 1 if value == schema.get("maximum") else value + 1
    raise KeyError


def leaves(value, schema, root, path):
    schema = resolve(schema, root)
    if isinstance(value, dict) and "properties" in schema and "examples" not in schema:
        for name, below in value.items():
            yield from leaves(below, schema["properties"][name], root, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and "examples" not in schema and "properties" in resolve(schema["items"], root):
        yield from leaves(value[0], schema["items"], root, path + "[0]")
    elif "const" not in schema:
        try:
            yield path, other(value, schema)
        except KeyError:
            sys.exit(f"{path}: the schema has no example of another value than {value!r}")


def main():
    schema, values = (json.load(open(name)) for name in sys.argv[1:])
    for path, new in leaves(values, schema, schema, ""):
        print(f"{path}={json.dumps(new)}")


main()
