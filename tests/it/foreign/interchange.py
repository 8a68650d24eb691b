"""Judges the shape of a bundle's interchange files: OCSF by its own JSON schema, FHIR R4 by fhir.resources.

usage: interchange.py OCSF.jsonl FHIR.ndjson; exits 0 when every line has the shape, 1 when one has not.
"""
import json
import sys

from fhir.resources.R4B.auditevent import AuditEvent
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schemas = {}


def ocsf_faults(event):
    version, uid = event["metadata"]["version"], event["class_uid"]
    if (version, uid) not in schemas:
        ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
        name = ocsf.lookup_class_name_from_uid(uid)
        schemas[version, uid] = Draft202012Validator(ocsf.get_class_schema(name, event["metadata"].get("profiles", [])))
    return ["/".join(map(str, fault.path)) + ": " + fault.message[:200] for fault in schemas[version, uid].iter_errors(event)]


faults, lines = [], 0
for number, line in enumerate(open(sys.argv[1], encoding="utf-8"), 1):
    lines += 1
    faults += [f"ocsf line {number}: {fault}" for fault in ocsf_faults(json.loads(line))]
for number, line in enumerate(open(sys.argv[2], encoding="utf-8"), 1):
    lines += 1
    try:
        AuditEvent.model_validate(json.loads(line))
    except Exception as fault:  # pydantic's own and what it lets through
        faults.append(f"fhir line {number}: {str(fault)[:300]}")
for fault in faults[:20]:
    print(fault)
print(f"{lines} lines, {len(faults)} faults")
sys.exit(1 if faults or not lines else 0)
