//! The pcalm command line.
fn main() {}
