"""Checks the shape of interchange files with other people's packages: interchange.py ocsf|fhir LINES.

OCSF: ocsf-json-schema builds the JSON schema of each event's class, jsonschema compares. FHIR: fhir.resources reads each
line as an AuditEvent of R4B. The first line has twins that must be refused.
"""

import copy
import functools
import json
import sys

kind, path = sys.argv[1:]


@functools.cache
def ocsf_validator(version, class_uid, profiles):
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    return Draft202012Validator(schema.get_class_schema(schema.lookup_class_name_from_uid(class_uid), list(profiles)))


def wrong(event):
    """What is wrong with an event; nothing where it fits."""
    if kind == "ocsf":
        about = event["metadata"]
        validator = ocsf_validator(about["version"], event["class_uid"], tuple(about.get("profiles", [])))
        return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(event)][:3]
    from fhir.resources.R4B.auditevent import AuditEvent

    try:
        AuditEvent.model_validate(event)
        return []
    except ValueError as error:
        return [str(error)[:300]]


def twins(event):
    """Damaged copies, each of which a checker must refuse."""
    for change in {"ocsf": ["time", "activity_id", "bogus"], "fhir": ["recorded", "agent", "bogus"]}[kind]:
        twin = copy.deepcopy(event)
        if change == "bogus":
            twin["bogus"] = 1
        elif change == "activity_id":
            twin[change] = "seventy-seven"
        else:
            del twin[change]
        yield change, twin


lines = [json.loads(line) for line in open(path, encoding="utf-8")]
for number, event in enumerate(lines, 1):
    if faults := wrong(event):
        sys.exit(f"line {number}: {'; '.join(faults)}")
refused = 0
for change, twin in twins(lines[0]) if lines else []:
    if not wrong(twin):
        sys.exit(f"a twin with a wrong `{change}` was accepted")
    refused += 1
print(f"{len(lines)} {kind} events fit, {refused} twins refused")
sys.exit(0 if lines else 1)
