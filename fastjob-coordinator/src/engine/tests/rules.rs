//! Single rules of the engine, each told as a short story.
