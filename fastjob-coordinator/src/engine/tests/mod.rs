//! Single rules of the engine, each told as a short story; `simulation` tries them all at once.

mod attempts;
mod children;
mod lineage;
mod quota;
mod rules;
mod speed;
mod story;
