mod analysis;
#[path = "../../tests/program/mod.rs"]
mod program;
mod store;
mod worker;
