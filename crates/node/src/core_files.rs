//! What a program leaves of itself when it ends otherwise than it meant to.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Keeps the kernel, and whoever it hands them to, from writing this program's memory to disk when it falls over: keys may
/// be in it. Programs that it starts leave none either.
pub fn leave_no_core_files() {
    // Less is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_memory_is_left() {
        super::leave_no_core_files();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<&str> = core.split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{core}");
    }
}
