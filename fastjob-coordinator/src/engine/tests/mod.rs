//! Single rules of the engine, each told as a short story; `simulation` tries them all at once.

mod attempts;
mod bounds;
mod children;
mod draining;
mod fires;
mod lineage;
mod quota;
mod restored;
mod rules;
mod speed;
mod story;
