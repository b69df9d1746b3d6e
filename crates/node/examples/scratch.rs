//! scratch
use ringfort_node::{HostTools, Root};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    match a[1].as_str() {
        "serve" => ringfort_node::serve(std::io::stdin(), std::io::stdout(), &Root::new("/"), &HostTools).unwrap(),
        "routes" => println!("{}", ringfort_node::routes::once(std::path::Path::new(&a[2]), &Root::new("/"), &HostTools).unwrap()),
        _ => {}
    }
}
