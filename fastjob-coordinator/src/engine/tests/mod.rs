//! Single rules of the engine, each told as a short story; `simulation` tries them all at once.

mod attempts;
mod bounds;
mod children;
mod draining;
mod restored;
mod rules;
mod story;
