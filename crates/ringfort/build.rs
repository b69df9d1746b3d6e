//! How a release is linked. It is static and still loaded anywhere, so it moves every address in itself as it starts; the
//! list of them is packed, since each machine gets and reads it. What is built for tests runs where glibc is older than
//! 2.36 as well, whose programs cannot read such a list.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
