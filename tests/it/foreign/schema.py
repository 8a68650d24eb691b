"""Checks each line of a file against a JSON Schema with the package jsonschema: schema.py SCHEMA LINES."""

import json
import sys

import jsonschema

schema_path, lines_path = sys.argv[1:]
with open(schema_path, encoding="utf-8") as file:
    schema = json.load(file)
validator_class = jsonschema.validators.validator_for(schema)
validator_class.check_schema(schema)
validator = validator_class(schema)
count = 0
with open(lines_path, encoding="utf-8") as file:
    for number, line in enumerate(file, 1):
        for error in validator.iter_errors(json.loads(line)):
            sys.exit(f"line {number}: {error.json_path}: {error.message}")
        count += 1
print(f"{count} events fit the schema")
