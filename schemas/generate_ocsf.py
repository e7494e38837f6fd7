#!/usr/bin/env python3
"""Writes schemas/ocsf/<version>/ from a compiled OCSF schema: facts.json and the JSON Schemas.

    python3 schemas/generate_ocsf.py ocsf-1.8.0.json            write
    python3 schemas/generate_ocsf.py ocsf-1.8.0.json --check    compare only; exit 1 if a file differs

The input is what OCSF's own compiler prints (ocsf/ocsf-schema-compiler): classes and objects with inheritance,
includes, profiles and extensions already resolved. Only the classes that okta-ocsf emits and what they reach are kept,
and of these only facts: no descriptions, and no captions but those of classes, categories and enum values.
"""
import argparse
import collections
import json
import pathlib
import sys

EMITTED = {
    0, 2004, 3001, 3002, 3003, 3004, 3005, 3006, 4002, 4009, 5001, 5003, 5023, 6001, 6002, 6003, 6007, 6008,
}  # fmt: skip

# What a millisecond timestamp of our time looks like, 1973 to 2286: a value in seconds is outside.
PLAUSIBLE_MS = (100_000_000_000, 9_999_999_999_999)

RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SHARED = "objects.schema.json"


def main():
    arguments = argparse.ArgumentParser(description="Writes schemas/ocsf/<version>/ from a compiled OCSF schema.")
    arguments.add_argument("compiled", type=pathlib.Path, help="what ocsf-schema-compiler printed")
    arguments.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).parent / "ocsf")
    arguments.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    options = arguments.parse_args()
    compiled = json.loads(options.compiled.read_text(encoding="utf-8"))
    facts = facts_of(compiled)
    files = {"facts.json": as_text(facts, 2)} | json_schemas(facts)
    folder = options.output / compiled["version"]
    stale = [name for name, text in files.items() if not holds(folder / name, text)]
    superfluous = [path.name for path in folder.glob("*.json") if path.name not in files]
    if options.check:
        for name in stale + superfluous:
            print(f"{folder / name} differs from what {options.compiled} gives", file=sys.stderr)
        sys.exit(1 if stale or superfluous else 0)
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (folder / name).write_text(files[name], encoding="utf-8")
    for name in superfluous:
        (folder / name).unlink()


def holds(path, text):
    return path.exists() and path.read_text(encoding="utf-8") == text


# ---- facts -----------------------------------------------------------------------------------------------------------


def facts_of(compiled):
    """The facts of the emitted classes and of every object that they reach."""
    classes = {name: item for name, item in compiled["classes"].items() if item["uid"] in EMITTED}
    missing = EMITTED - {item["uid"] for item in classes.values()}
    if missing:
        sys.exit(f"the compiled schema has no class {sorted(missing)}")
    objects = reachable_objects(classes, compiled["objects"])
    common = most_common_definitions([*classes.values(), *objects.values()])
    return {
        "version": compiled["version"],
        "profiles": sorted(compiled["profiles"]),
        "types": {name: type_facts(name, compiled) for name in sorted(compiled["dictionary"]["types"]["attributes"])},
        "attributes": dict(sorted(common.items())),
        "classes": {name: class_facts(classes[name], common) for name in sorted(classes)},
        "objects": {name: table_facts(objects[name], common) for name in sorted(objects)},
        "not_emitted": {
            str(item["uid"]): name
            for name, item in sorted(compiled["classes"].items(), key=lambda pair: pair[1]["uid"])
            if item["uid"] not in EMITTED
        },
    }


def reachable_objects(classes, objects):
    found, waiting = {}, list(classes.values())
    while waiting:
        for attribute in waiting.pop()["attributes"].values():
            name = attribute.get("object_type")
            if name and name not in found:
                found[name] = objects[name]
                waiting.append(objects[name])
    return found


def most_common_definitions(items):
    """What most classes and objects mean by an attribute of this name; the others say what is their own."""
    seen = collections.defaultdict(collections.Counter)
    for item in items:
        for name, attribute in item["attributes"].items():
            seen[name][json.dumps(attribute_facts(attribute))] += 1
    # The text decides between equally common ones, so that the order of the input does not.
    return {
        name: json.loads(max(definitions, key=lambda text: (definitions[text], text)))
        for name, definitions in seen.items()
    }


def type_facts(name, compiled):
    types = compiled["dictionary"]["types"]["attributes"]
    own = types[name]
    inherited = types.get(own.get("type"), {})
    kept = ("max_len", "range", "regex")
    facts = {"base": own.get("type", name), "observable": own.get("observable")}
    facts |= {key: own.get(key, inherited.get(key)) for key in kept}
    if own.get("values") not in (None, [False, True]):
        sys.exit(f"type {name} lists values, which nothing here checks")
    return present(facts)


def class_facts(item, common):
    facts = {"uid": item["uid"], "caption": item["caption"], "profiles": sorted(item["profiles"])}
    return facts | table_facts(item, common)


def table_facts(item, common):
    """What a class and an object have in common: attributes by requirement, and constraints."""
    attributes = item["attributes"]
    own = {name: attribute_facts(attribute) for name, attribute in sorted(attributes.items())}
    facts = {
        "deprecated": "@deprecated" in item,
        "observable": item.get("observable"),
        "constraints": constraint_facts(item),
        "only_with": attributes_by_profile(attributes),
    }
    for requirement in ("required", "recommended", "optional"):
        facts[requirement] = sorted(name for name in attributes if attributes[name]["requirement"] == requirement)
    facts["own"] = {name: definition for name, definition in own.items() if definition != common[name]}
    return present(facts)


def constraint_facts(item):
    constraints = item.get("constraints", {})
    for rule, members in constraints.items():
        if rule not in ("at_least_one", "just_one") or not all(member in item["attributes"] for member in members):
            sys.exit(f"{item['name']} has a constraint that nothing here checks: {rule} of {members}")
    return {rule: sorted(members) for rule, members in sorted(constraints.items())}


def attributes_by_profile(attributes):
    """The attributes that exist in a record only under one of these profiles."""
    found = collections.defaultdict(list)
    for name in sorted(attributes):
        for profile in attributes[name].get("profiles") or ():
            found[profile].append(name)
    return dict(sorted(found.items()))


def attribute_facts(attribute):
    is_object = attribute["type"] == "object_t"
    enum = attribute.get("enum") or {}
    return present({
        "type": None if is_object else attribute["type"],
        "object": attribute["object_type"] if is_object else None,
        "array": attribute.get("is_array", False),
        "sibling": attribute.get("sibling"),
        "observable": attribute.get("observable"),
        "deprecated": "@deprecated" in attribute,
        "enum": {value: enum[value]["caption"] for value in sorted(enum, key=enum_order)},
        "deprecated_values": sorted((value for value in enum if "@deprecated" in enum[value]), key=enum_order),
    })


def enum_order(value):
    return (0, int(value), "") if value.isdigit() else (1, 0, value)


def present(facts):
    """Without what says nothing. A zero says something, though it equals False."""
    return {key: value for key, value in facts.items() if value or (value == 0 and value is not False)}


# ---- JSON Schema -----------------------------------------------------------------------------------------------------


def json_schemas(facts):
    """One schema a class, and the objects and types that they share."""
    shared = {name: type_schema(name, kind) for name, kind in facts["types"].items()}
    shared |= {name: table_schema(table, facts, "") for name, table in facts["objects"].items()}
    files = {SHARED: {"$schema": DRAFT, "$id": SHARED, "$defs": dict(sorted(shared.items()))}}
    for name, table in facts["classes"].items():
        identity = {"$schema": DRAFT, "$id": f"{name}.schema.json", "title": table["caption"]}
        files[identity["$id"]] = identity | table_schema(table, facts, SHARED)
    return {name: as_text(schema, 4 if name == SHARED else 2) for name, schema in files.items()}


def table_schema(table, facts, shared):
    names = sorted(attribute_names(table))
    if not names:
        return {"type": "object"}
    # An attribute of a profile is required only under it, which a schema of a nested object cannot know.
    of_profiles = {name for group in table.get("only_with", {}).values() for name in group}
    definitions = {name: table.get("own", {}).get(name, facts["attributes"][name]) for name in names}
    return present({
        "type": "object",
        "deprecated": table.get("deprecated"),
        "required": [name for name in table.get("required", []) if name not in of_profiles],
        "anyOf": [{"required": [name]} for name in table.get("constraints", {}).get("at_least_one", [])],
        "oneOf": [{"required": [name]} for name in table.get("constraints", {}).get("just_one", [])],
        "properties": {name: attribute_schema(definition, shared) for name, definition in definitions.items()},
    }) | {"additionalProperties": False}


def attribute_names(table):
    return [name for group in ("required", "recommended", "optional") for name in table.get(group, [])]


def attribute_schema(definition, shared):
    schema = value_schema(definition, shared)
    if definition.get("array"):
        schema = {"type": "array", "items": schema}
    return schema | ({"deprecated": True} if definition.get("deprecated") else {})


def value_schema(definition, shared):
    kind = definition.get("object") or definition["type"]
    enum = definition.get("enum")
    if not enum:
        return {"$ref": f"{shared}#/$defs/{kind}"}
    if kind == "string_t":
        return {"enum": list(enum)}
    # `enum` is what every validator and code generator understands; the captions go where editors show them.
    captions = ", ".join(f"{value} {caption}" for value, caption in enum.items())
    return {"type": "integer", "enum": [int(value) for value in enum], "description": captions}


def type_schema(name, kind):
    special = {
        "datetime_t": {"type": "string", "format": "date-time", "pattern": RFC3339},
        "ip_t": {"type": "string", "maxLength": kind.get("max_len"), "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        "timestamp_t": {"type": "integer", "minimum": PLAUSIBLE_MS[0], "maximum": PLAUSIBLE_MS[1]},
        "uuid_t": {"type": "string", "format": "uuid", "pattern": f"^{kind.get('regex')}$"},
    }
    if name in special:
        return special[name]
    if kind["base"] == "json_t":
        return {}
    minimum, maximum = kind.get("range", (None, None))
    json_type = {"boolean_t": "boolean", "float_t": "number", "integer_t": "integer", "long_t": "integer"}
    facts = {"maxLength": kind.get("max_len"), "pattern": kind.get("regex"), "minimum": minimum, "maximum": maximum}
    return {"type": json_type.get(kind["base"], "string")} | present(facts)


# ---- text ------------------------------------------------------------------------------------------------------------


def as_text(value, depth):
    """JSON with one member a line down to `depth`, and compact below: short files whose differences read well."""
    return lines_of(value, depth, "") + "\n"


def lines_of(value, depth, margin):
    if depth == 0 or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    inner = margin + " "
    members = (f"{inner}{json.dumps(key)}: {lines_of(member, depth - 1, inner)}" for key, member in value.items())
    return "{\n" + ",\n".join(members) + f"\n{margin}}}"


if __name__ == "__main__":
    main()
