//! Single rules of the engine, each told as a short story; `simulation` tries them all at once.

mod attempts;
mod children;
mod quota;
mod retention;
mod rules;
mod story;
