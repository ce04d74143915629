//! The engine against a model of the store and of executors, driven by a seed.

mod model;
mod rules;
mod simulation;
