//! ringfort
fn main() {}
