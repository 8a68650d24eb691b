//! One source for what the JSON API has and what is said about it: whoever adds a route says what it does, and the
//! fields of its request come from the very type that its function takes. A route without description cannot exist.

mod document;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::handler::Handler;
use axum::routing::{get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::viewer::Viewer;
use crate::app::App;

/// How the schema of a type is made.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// How something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Does something.
    Post,
}

impl Method {
    /// `GET`, `POST`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a function takes from a request.
#[derive(Clone, Copy, Debug)]
pub enum Taken {
    /// Nothing that the caller sends.
    Nothing,
    /// The part of the path in braces.
    Path,
    /// Fields of the query.
    Query(SchemaOf),
    /// The body, JSON.
    Body(SchemaOf),
}

/// An argument of a route's function.
pub trait Argument {
    /// What it takes.
    const TAKES: Taken;
}

impl Argument for State<App> {
    const TAKES: Taken = Taken::Nothing;
}

impl Argument for Viewer {
    const TAKES: Taken = Taken::Nothing;
}

impl Argument for Path<String> {
    const TAKES: Taken = Taken::Path;
}

impl<T: JsonSchema> Argument for Query<T> {
    const TAKES: Taken = Taken::Query(T::json_schema);
}

impl<T: JsonSchema> Argument for Json<T> {
    const TAKES: Taken = Taken::Body(T::json_schema);
}

/// All arguments of a route's function, in the form in which axum names them: a marker, then each argument.
pub trait Arguments {
    /// What each takes.
    fn taken() -> Vec<Taken>;
}

impl Arguments for ((),) {
    fn taken() -> Vec<Taken> {
        Vec::new()
    }
}

impl<M, A: Argument> Arguments for (M, A) {
    fn taken() -> Vec<Taken> {
        vec![A::TAKES]
    }
}

impl<M, A: Argument, B: Argument> Arguments for (M, A, B) {
    fn taken() -> Vec<Taken> {
        vec![A::TAKES, B::TAKES]
    }
}

impl<M, A: Argument, B: Argument, C: Argument> Arguments for (M, A, B, C) {
    fn taken() -> Vec<Taken> {
        vec![A::TAKES, B::TAKES, C::TAKES]
    }
}

impl<M, A: Argument, B: Argument, C: Argument, D: Argument> Arguments for (M, A, B, C, D) {
    fn taken() -> Vec<Taken> {
        vec![A::TAKES, B::TAKES, C::TAKES, D::TAKES]
    }
}

/// One thing that can be asked for.
#[derive(Clone, Debug)]
pub struct Operation {
    /// How.
    pub method: Method,
    /// Where: `/v1/findings/{id}`.
    pub path: &'static str,
    /// What it does, one line.
    pub does: &'static str,
    /// Media type of the answer.
    pub gives: &'static str,
    /// Whether it may answer 202: begun, or waiting for a second signature.
    pub may_wait: bool,
    taken: Vec<Taken>,
    answer: Option<SchemaOf>,
}

/// Routes with what is said about them.
#[derive(Debug, Default)]
pub struct Api {
    router: Router<App>,
    operations: Vec<Operation>,
}

impl Api {
    /// No route yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A route that reads.
    pub fn get<H, T>(self, path: &'static str, does: &'static str, function: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        let Self { router, operations } = self;
        Self { router: router.route(path, get(function)), operations }.said::<T>(Method::Get, path, does)
    }

    /// A route that does something.
    pub fn post<H, T>(self, path: &'static str, does: &'static str, function: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        let Self { router, operations } = self;
        Self { router: router.route(path, post(function)), operations }.said::<T>(Method::Post, path, does)
    }

    fn said<T: Arguments>(mut self, method: Method, path: &'static str, does: &'static str) -> Self {
        let (gives, taken) = ("application/json", T::taken());
        self.operations.push(Operation { method, path, does, gives, may_wait: false, taken, answer: None });
        self
    }

    /// The newest route answers with something else than JSON.
    pub fn giving(mut self, media_type: &'static str) -> Self {
        if let Some(newest) = self.operations.last_mut() {
            newest.gives = media_type;
        }
        self
    }

    /// The newest route may answer before it is done: 202, with what is to be waited for.
    pub fn or_later(mut self) -> Self {
        if let Some(newest) = self.operations.last_mut() {
            newest.may_wait = true;
        }
        self
    }

    /// The newest route answers with this type.
    pub fn answering<T: JsonSchema>(mut self) -> Self {
        if let Some(newest) = self.operations.last_mut() {
            newest.answer = Some(T::json_schema);
        }
        self
    }

    /// Others besides.
    pub fn merge(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        Self { router: self.router.merge(other.router), operations: self.operations }
    }

    /// What can be asked for, by path.
    pub fn operations(&self) -> Vec<&Operation> {
        let mut operations: Vec<&Operation> = self.operations.iter().collect();
        operations.sort_by_key(|operation| (operation.path, operation.method.name()));
        operations
    }

    /// The routes themselves.
    pub fn into_router(self) -> Router<App> {
        self.router
    }

    /// One line for each: method, path, what it does.
    pub fn listing(&self) -> String {
        let operations = self.operations();
        let width = operations.iter().map(|operation| operation.path.len()).max().unwrap_or(0);
        let line = |operation: &&Operation| {
            format!("{:<4}  {:<width$}  {}\n", operation.method.name(), operation.path, operation.does)
        };
        operations.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests;
