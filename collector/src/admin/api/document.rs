//! The description for programs: OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1), schemas in JSON Schema 2020-12.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Api, Method, Operation, Taken};

/// Statuses of a refusal that any request can meet, and why.
const REFUSALS: [(&str, &str); 5] = [
    ("400", "What was asked is wrong, or does not fit what is stored"),
    ("401", "Who asks or decides has not shown who they are"),
    ("403", "Who asks may not"),
    ("404", "There is no such thing"),
    ("503", "Something that it needs cannot be had now: a file, a service, the ledger"),
];

/// Statuses besides, of a request with a body.
const BODY_REFUSALS: [(&str, &str); 3] = [
    ("413", "The body is too large"),
    ("415", "The body is not sent as application/json"),
    ("422", "The body is JSON and not of this form"),
];

impl Api {
    /// The whole document.
    pub fn document(&self) -> Value {
        let mut settings = SchemaSettings::draft2020_12();
        // Each request stands whole where it is used.
        settings.inline_subschemas = true;
        let mut generator = SchemaGenerator::new(settings);
        let mut paths: Map<String, Value> = Map::new();
        for operation in self.operations() {
            let described = describe(operation, &mut generator);
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            if let Some(path) = path.as_object_mut() {
                path.insert(operation.method.name().to_ascii_lowercase(), described);
            }
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Need-to-Know collector",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "What the command line and the console do. A refusal is one sentence that says what to do. Fields and query names that are not listed are refused.",
                "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
            },
            "servers": [
                {"url": "/api", "description": "The console, signed in"},
                {"url": "/", "description": "admin.sock in the collector's folder, for its owner"},
            ],
            "paths": paths,
            "components": {
                "schemas": {"Sentence": {
                    "type": "object",
                    "properties": {"error": {"type": "string", "minLength": 1, "description": "What failed, with what, and what to do"}},
                    "required": ["error"],
                }},
            },
        })
    }
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut parameters = Vec::new();
    let mut body = None;
    for taken in &operation.taken {
        match taken {
            Taken::Nothing => {}
            Taken::Path => parameters.extend(path_parameters(operation.path)),
            Taken::Query(schema) => parameters.extend(query_parameters(&schema(generator).to_value())),
            Taken::Body(schema) => body = Some(schema(generator).to_value()),
        }
    }
    let mut responses = Map::new();
    let answer = match (operation.gives, operation.answer) {
        ("application/json", Some(schema)) => json!({"schema": schema(generator).to_value()}),
        ("application/json", None) => json!({"schema": {"type": "object"}}),
        _ => json!({}),
    };
    responses.insert("200".into(), json!({"description": "Done", "content": {operation.gives: answer}}));
    if operation.may_wait {
        let answer = json!({"application/json": {"schema": {"type": "object"}}});
        let said = "Begun, or waiting for a second signature";
        responses.insert("202".into(), json!({"description": said, "content": answer}));
    }
    let besides = BODY_REFUSALS.iter().filter(|_| body.is_some());
    for (status, why) in REFUSALS.iter().chain(besides) {
        let schema = json!({"schema": {"$ref": "#/components/schemas/Sentence"}});
        let refusal = json!({"description": why, "content": {"application/json": schema}});
        responses.insert((*status).into(), refusal);
    }
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.does,
        "responses": responses,
    });
    if let Some(described) = described.as_object_mut() {
        if !parameters.is_empty() {
            described.insert("parameters".into(), parameters.into());
        }
        if let Some(body) = body {
            let content = json!({"required": true, "content": {"application/json": {"schema": body}}});
            described.insert("requestBody".into(), content);
        }
    }
    described
}

/// `get-findings-id`: stable, for generated clients.
fn operation_id(operation: &Operation) -> String {
    let words = operation.path.split('/').filter(|word| !word.is_empty() && *word != "v1");
    let words = words.map(|word| word.trim_matches(['{', '}']).replace('.', "-"));
    let method = match operation.method {
        Method::Get => "get",
        Method::Post => "post",
    };
    std::iter::once(method.to_owned()).chain(words).collect::<Vec<_>>().join("-")
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
    })
}

/// Each field of the type is a parameter. That there is none is said by leaving it out, never by a null.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    fields
        .iter()
        .map(|(name, field)| {
            let mut field = field.clone();
            let description = field.as_object_mut().and_then(|field| field.remove("description"));
            if let Some(field) = field.as_object_mut() {
                without_null(field);
            }
            let mut parameter =
                json!({"name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": field});
            if let (Some(parameter), Some(description)) = (parameter.as_object_mut(), description) {
                parameter.insert("description".into(), description);
            }
            parameter
        })
        .collect()
}

fn without_null(field: &mut Map<String, Value>) {
    if field.get("default") == Some(&Value::Null) {
        field.remove("default");
    }
    if let Some(Value::Array(types)) = field.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            field.insert("type".into(), only);
        }
    }
}
